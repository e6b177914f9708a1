//! The simulator finds broken variants of the server: `RUSTFLAGS="--cfg zocket_broken" cargo test --package
//! zocket-simulator broken`, in a target folder of its own.

use zocket::{
    layers::internal::{Broken, set_broken},
    testing::sim::{SimApp, World},
};

use crate::{app::app, cluster::seeds, script::script, sim};

/// Runs a thousand seeds with a broken server. Returns the message of the failure.
fn failure_of(broken: Broken) -> String {
    // A run stays on its thread.
    let app = |world: &World| -> SimApp {
        set_broken(Some(broken));
        app(world)
    };
    let run = sim(1_000).try_run(app, script);
    set_broken(None);
    match run {
        Ok(totals) => panic!("a thousand seeds did not find {broken:?}: {totals}"),
        Err(message) => message,
    }
}

#[test]
#[allow(clippy::print_stdout, reason = "the seeds are the result")]
fn every_broken_variant_is_found_within_a_thousand_seeds() {
    for broken in Broken::ALONE {
        let message = failure_of(broken);
        println!("{broken:?}: {message}");
    }
}

#[test]
#[allow(clippy::print_stdout, reason = "the seeds are the result")]
fn every_broken_node_is_found_within_a_thousand_seeds() {
    for broken in Broken::AMONG_NODES {
        let run = seeds::run_all(1_000, || set_broken(Some(broken)));
        let Err(message) = run else {
            panic!("a thousand seeds did not find {broken:?}");
        };
        println!("{broken:?}: {message}");
    }
}
