//! Messages of failures.

use zocket::testing::sim::{Sim, SimApp, SimClient, World};

use crate::{app::app, script::script, with_faults};

#[test]
fn a_failure_names_the_seed_the_command_and_the_faults_that_it_needs() {
    let script = async |client: SimClient| {
        script(client.clone()).await;
        assert!(client.connections() < 4, "three connections have ended");
    };
    let message = with_faults(Sim::seeds(100)).try_run(app, script).unwrap_err();
    let seed: u64 = message
        .strip_prefix("seed ")
        .and_then(|rest| rest.split(' ').next())
        .unwrap()
        .parse()
        .unwrap();
    let command = format!("ZOCKET_SIM={seed}:");
    assert!(message.contains(&command), "{message}");
    assert!(message.contains("three connections have ended"), "{message}");
    let faults = message
        .split("Its faults:\n")
        .nth(1)
        .unwrap()
        .lines()
        .filter(|line| line.starts_with("- "));
    assert!((1..=4).contains(&faults.count()), "{message}");
}

#[test]
fn a_failing_check_of_the_app_fails_the_run() {
    let app = |world: &World| -> SimApp {
        let seed = world.seed();
        app(world).at_end(move || assert_ne!(seed, 3, "the third seed"))
    };
    let message = with_faults(Sim::seeds(10)).try_run(app, script).unwrap_err();
    assert!(message.starts_with("seed 3 failed. Repeat it with:"), "{message}");
    assert!(message.contains("the third seed"), "{message}");
    assert!(message.ends_with("Its faults:\n- none\n"), "{message}");
}
