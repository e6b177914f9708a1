//! A call on its way to the connection.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::CallError;

/// How one call is made: `CallOptions { timeout: Duration::from_secs(60), ..CallOptions::default() }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallOptions {
    /// How long the call may take as a whole: its turn, the connection, the answer. Default: 10 s. For
    /// [`Client::call_with`](super::Client::call_with), the default is not the builder's.
    pub timeout: Duration,
    /// Whether it waits while there is no connection; otherwise it fails at once, with
    /// [`Sent::No`](super::Sent::No). Default: true.
    pub wait: bool,
}

impl Default for CallOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            wait: true,
        }
    }
}

/// A message that waits to be sent.
pub(super) struct Request {
    /// The frame as it goes out: UTF-8.
    pub(super) frame: String,
    /// What its answer is known by; none where there will be no answer.
    pub(super) id: Option<u64>,
    /// Where the answer's payload goes, or for a message without an answer, nothing as soon as it was written.
    pub(super) reply: Reply,
}

pub(super) type Reply = oneshot::Sender<Result<Bytes, CallError>>;
