//! The simulator, on an app that uses rooms, events, calls and callbacks. `ZOCKET_SIM_SEEDS` says how many seeds run.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "these are tests, and their helpers"
)]

mod app;
#[cfg(zocket_broken)]
mod broken;
mod cluster;
mod reports;
mod script;
mod soak;

use zocket::{
    Limits,
    testing::sim::{Sim, World},
};

use crate::{
    app::{app, app_with},
    script::script,
};

fn sim(seeds: u64) -> Sim {
    with_faults(Sim::seeds(seeds))
}

fn with_faults(sim: Sim) -> Sim {
    sim.clients(3)
        .cuts(8)
        .headers(|client| serde_json::json!({ "client": client }))
        .repeated_by("cargo test --package zocket-simulator -- --exact every_rule_holds_across_all_faults")
}

#[test]
#[allow(clippy::print_stdout, reason = "the totals are the result")]
fn every_rule_holds_across_all_faults() {
    let totals = sim(300).run(app, script);
    println!("{totals}");
}

#[test]
#[allow(clippy::print_stdout, reason = "the totals are the result")]
fn nothing_is_doubled_or_reordered_when_records_are_too_small() {
    let app = |world: &World| app_with(world, Limits::default().record(1_000));
    let totals = sim(300).losing_sessions().run(app, script);
    println!("{totals}");
}

#[test]
fn a_seed_takes_the_same_course_each_time() {
    for seed in 0..20 {
        let runs = [(); 3].map(|()| with_faults(Sim::seed(seed)).try_run(app, script).unwrap());
        assert_eq!(runs[0], runs[1], "seed {seed}");
        assert_eq!(runs[0], runs[2], "seed {seed}");
    }
}
