//! Several nodes over a simulated engine, which loses, delays and reorders as NATS may.

mod act;
mod checks;
mod engine;
mod faults;
mod link;
mod model;
mod random;
mod regressions;
mod run;
pub mod seeds;
mod servers;
mod settings;
mod steps;

use self::{settings::Settings, steps::steps};

#[test]
fn nodes_keep_every_rule_across_all_faults() {
    let failed = match seeds::repeated() {
        Some(seed) => seeds::run_one(seed),
        None => seeds::run_all(seeds::count(300), || {}),
    };
    failed.unwrap_or_else(|message| panic!("{message}"));
}

#[test]
fn a_seed_of_nodes_takes_the_same_course_each_time() {
    for seed in 0..20 {
        let settings = Settings::of_seed(seed);
        let steps = steps(seed, &settings);
        let runs = [(); 3].map(|()| run::run(seed, settings, &steps));
        assert_eq!([runs[0]; 3], runs, "seed {seed}");
    }
}
