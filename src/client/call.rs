//! Options of a call, and the request that the driver receives.

use std::{
    task::{Context as Task, Poll},
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

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

/// The queues of a client's requests.
pub(super) struct Queues {
    /// Requests of `on_open`, which are sent before all others.
    pub(super) first: mpsc::Receiver<Request>,
    pub(super) others: mpsc::Receiver<Request>,
}

impl Queues {
    /// Polls for the next request. Those of the second queue wait until `opened`.
    pub(super) fn poll(&mut self, cx: &mut Task<'_>, opened: bool) -> Poll<Request> {
        if let Poll::Ready(Some(request)) = self.first.poll_recv(cx) {
            return Poll::Ready(request);
        }
        if !opened {
            return Poll::Pending;
        }
        match self.others.poll_recv(cx) {
            Poll::Ready(Some(request)) => Poll::Ready(request),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

pub(super) type Reply = oneshot::Sender<Result<Bytes, CallError>>;
