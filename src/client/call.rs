//! Options of a call, and the request that the driver receives.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::CallError;

/// Options of one call: `CallOptions::default().timeout(Duration::from_secs(60))`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallOptions {
    /// Time limit for the call as a whole: the wait for its turn, for the connection and for the answer. Default:
    /// 10 s. [`Client::call_with`](super::Client::call_with) does not use the builder's time-out as its default.
    pub timeout: Duration,
    /// If true, the call waits while there is no connection. If false, it fails at once, with
    /// [`Sent::No`](super::Sent::No). Default: true.
    pub wait_for_connection: bool,
}

impl Default for CallOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            wait_for_connection: true,
        }
    }
}

impl CallOptions {
    /// Sets the [`timeout`](field@Self::timeout).
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets [`wait_for_connection`](field@Self::wait_for_connection): false makes the call fail at once while there is
    /// no connection.
    #[must_use]
    pub const fn wait_for_connection(mut self, wait: bool) -> Self {
        self.wait_for_connection = wait;
        self
    }
}

/// A message that waits to be sent.
pub(super) struct Request {
    /// The frame to send, in UTF-8.
    pub(super) frame: String,
    /// The id by which the answer is matched. `None` if there will be no answer.
    pub(super) id: Option<u64>,
    /// Receives the answer's payload. For a message without an answer, it receives empty bytes as soon as the frame
    /// was handed to the socket.
    pub(super) reply: Reply,
}

pub(super) type Reply = oneshot::Sender<Result<Bytes, CallError>>;
