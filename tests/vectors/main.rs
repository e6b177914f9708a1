//! PROTOCOL.md as vectors of input and expected output. README.md describes the format. These tests
//! run them against this crate's server and client.
#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "what is unwrapped by a test's helper is part of the test"
)]

#[path = "../common/mod.rs"]
mod common;

mod app;
mod data;
#[cfg_attr(
    not(feature = "client"),
    allow(dead_code, reason = "a client's steps are read where there is one")
)]
mod format;
mod issues;
mod pattern;
mod request;
mod routes;
mod server;
mod site;

#[cfg(feature = "client")]
mod client;
#[cfg(feature = "client")]
mod stage;

use std::{any::Any, panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt;

use format::{Side, Vector, all};

/// Time limit of a step. It is shorter than the helpers' limit, which panic without naming the vector.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs each vector of a side. Fails with all errors.
async fn run_all(side: Side, run: impl AsyncFn(&Vector) -> Result<(), String>) {
    let (mut ran, mut failures) = (0, Vec::new());
    for (file, vector) in all() {
        if !vector.sides.contains(&side) {
            continue;
        }
        ran += 1;
        // A panicking helper does not name its vector.
        let result = AssertUnwindSafe(run(&vector)).catch_unwind().await;
        if let Err(why) = result.unwrap_or_else(|panic| Err(said(&*panic))) {
            failures.push(format!(
                "{file}: {}\n  must: {}\n  {why}",
                vector.name, vector.must
            ));
        }
    }
    assert!(ran > 0, "there are no vectors for the {side:?}");
    assert!(
        failures.is_empty(),
        "{} of {ran} vectors fail:\n\n{}",
        failures.len(),
        failures.join("\n\n")
    );
}

/// Returns the message of a panic.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("it panicked: {}", text.unwrap_or("?"))
}

#[tokio::test]
async fn the_server_does_what_the_vectors_say() {
    run_all(Side::Server, server::run).await;
}

#[cfg(feature = "client")]
#[tokio::test]
async fn the_client_does_what_the_vectors_say() {
    run_all(Side::Client, client::run).await;
}
