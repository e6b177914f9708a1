//! Each compared server answers and delivers everything, in order.

use std::process::Command;

/// Measures one server for a short time. Fails with the program's output.
fn check(peer: &str, scenarios: &str) {
    let output = Command::new(env!("CARGO_BIN_EXE_field"))
        .args([
            "--check",
            "--quick",
            "--window",
            "0.2",
            "--sessions",
            "300",
            "--idle",
            "300",
            "--only",
            peer,
            "--scenario",
            scenarios,
        ])
        .output()
        .expect("the program was built");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{peer}:\n{said}");
    for scenario in scenarios.split(',') {
        assert!(said.contains(scenario), "{peer} was not measured:\n{said}");
    }
}

/// Returns true if a server that this package does not build is installed.
fn is_here(peer: &str) -> bool {
    let output = Command::new(env!("CARGO_BIN_EXE_field"))
        .args(["--only", peer, "--available"])
        .output()
        .expect("the program was built");
    output.status.success()
}

const BOTH: &str = "request-16,fanout-100x20";

#[test]
fn tungstenite_answers_and_delivers_in_order() {
    check("tungstenite", BOTH);
}

#[test]
fn axum_answers_and_delivers_in_order() {
    check("axum", BOTH);
}

// socketioxide runs handlers concurrently, so messages of one socket arrive in any order.
#[test]
fn socketioxide_answers_and_delivers_one_at_a_time() {
    check("socketioxide", "request-16,fanout-100x1");
}

#[test]
fn a_server_that_only_upgrades_accepts_connections() {
    check("upgrade", "accept");
}

#[test]
fn clients_join_and_leave_rooms() {
    check("tungstenite", "join-leave");
}

#[test]
fn installed_peers_answer_and_deliver_in_order() {
    for peer in ["zocket", "bun", "socket.io"] {
        if is_here(peer) {
            check(peer, BOTH);
        }
    }
}

#[test]
fn sessions_are_parked_and_resumed() {
    if is_here("zocket-resume") {
        check(
            "zocket-resume",
            "resume-request-16,resume-fanout-100x20,resume-memory-unacked,resume-parked-unread,resume-all-at-once",
        );
    }
}

#[test]
fn nodes_deliver_everything_in_order_and_their_costs_are_simulated() {
    let run = |arguments: &[&str]| {
        let mut field = Command::new(env!("CARGO_BIN_EXE_field"));
        let output = field.arg("cluster").args(arguments).output();
        let output = output.expect("the program was built");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), said)
    };
    if !run(&["--available"]).0 {
        return;
    }
    let (succeeded, said) = run(&["--check", "--quick", "--window", "0.2", "--rooms", "200"]);
    assert!(succeeded, "{said}");
    for row in [
        "| Zocket, NATS, 3 nodes |",
        "| Zocket, NATS, 2 nodes: opens",
        "| barriers |",
    ] {
        assert!(said.contains(row), "{row}: {said}");
    }
}

#[test]
fn invalid_arguments_are_reported() {
    let output = Command::new(env!("CARGO_BIN_EXE_field"))
        .args(["--only", "nginx"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("no server \"nginx\"; there are zocket, zocket-extended, zocket-resume, tungstenite"),
        "{said}"
    );
}
