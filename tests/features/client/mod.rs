//! The client against servers of this crate, and against some that misbehave.

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
mod events;
mod handshake;
mod reconnecting;
mod refused;
mod silence;

use std::{pin::Pin, task::Poll, time::Duration};

use common::PATIENCE;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{task::JoinHandle, time::timeout};
use zocket::client::{CallError, Client, Status};

/// Polls once. Whether it is pending.
async fn begins(work: &mut (impl Future + Unpin)) -> bool {
    std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut *work).poll(cx).is_pending())).await
}

/// Nothing takes longer than the tests' patience.
async fn soon<T>(work: impl Future<Output = T>) -> T {
    timeout(PATIENCE, work).await.expect("it takes too long")
}

/// A builder that does not wait for long.
fn hasty(url: String) -> zocket::client::Builder {
    Client::builder(url).backoff(Duration::from_millis(1), Duration::from_millis(5))
}

/// Calls in a task of its own.
fn calling<T>(
    client: &Client,
    route: &'static str,
    payload: impl Serialize + Send + Sync + 'static,
) -> JoinHandle<Result<T, CallError>>
where
    T: DeserializeOwned + Send + 'static,
{
    let client = client.clone();
    tokio::spawn(async move { client.call(route, &payload).await })
}

/// Waits until its status is such a one.
async fn status(client: &Client, is: impl FnMut(&Status) -> bool) -> Status {
    let mut statuses = client.statuses();
    soon(statuses.wait_for(is)).await.unwrap()
}

/// Waits until it waits before its next attempt.
async fn waiting(client: &Client) -> Status {
    status(client, |status| matches!(status, Status::Waiting { .. })).await
}
