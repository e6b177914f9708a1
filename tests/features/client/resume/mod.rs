//! Sessions that outlive their connections.

mod app;
mod break_or_end;
mod counting;
mod cutter;
mod faults;
mod opening;
mod random;
mod sending;
mod server;
mod stage;
mod window;

use zocket::client::{CallError, Client, Sent};

use super::{begins, calling, common, hasty, soon, status, waiting, world};

/// Starts a call, whose answer is the name of its route.
fn call(client: &Client, route: &'static str) -> tokio::task::JoinHandle<Result<String, CallError>> {
    calling(client, route, ())
}

/// Returns what a call that was ended by its connection knows about the server.
fn sent<T: std::fmt::Debug>(result: Result<T, CallError>) -> Sent {
    match result {
        Err(CallError::Disconnected { sent }) => sent,
        other => panic!("expected a call that was ended by its connection, got {other:?}"),
    }
}
