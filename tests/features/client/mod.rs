//! The client against servers of this crate and against faulty servers.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "these are tests, and their helpers"
)]

use crate::common;

mod servers;
mod world;

mod calls;
mod closing;
mod errors;
mod events;
mod flow;
mod handshake;
mod opening;
mod reconnecting;
mod refused;
mod resume;
mod service;
mod silence;
mod typed;

use std::{pin::Pin, task::Poll, time::Duration};

use common::PATIENCE;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{task::JoinHandle, time::timeout};
use zocket::client::{CallError, Client, Status};

/// Polls once. Returns true if it is pending.
async fn begins(work: &mut (impl Future + Unpin)) -> bool {
    std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut *work).poll(cx).is_pending())).await
}

/// Waits for the future, at most as long as [`PATIENCE`].
async fn soon<T>(work: impl Future<Output = T>) -> T {
    timeout(PATIENCE, work).await.expect("it takes too long")
}

/// Returns a builder with short backoff.
fn hasty(url: String) -> zocket::client::Builder {
    Client::builder(url).backoff(Duration::from_millis(1), Duration::from_millis(5))
}

/// Calls in a new task.
fn calling<T>(
    client: &Client,
    route: &'static str,
    payload: impl Serialize + Send + Sync + 'static,
) -> JoinHandle<Result<T, CallError>>
where
    T: DeserializeOwned + Send + 'static,
{
    let client = client.clone();
    tokio::spawn(async move { client.call_route(route, &payload).await })
}

/// Waits until the status matches.
async fn status(client: &Client, is: impl FnMut(&Status) -> bool) -> Status {
    let mut statuses = client.statuses();
    soon(statuses.wait_for(is)).await.unwrap()
}

/// Waits until the client is waiting for its next attempt.
async fn waiting(client: &Client) -> Status {
    status(client, |status| matches!(status, Status::Waiting { .. })).await
}
