//! Options of a call, and the request that the driver receives.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
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
    pub(super) claim: Claim,
}

/// Decides between the session that sends a request and the caller that gives it up. Whoever takes it first wins, so a
/// caller that has taken it knows that the request is never sent.
#[derive(Clone, Default)]
pub(super) struct Claim(Arc<AtomicBool>);

impl Claim {
    /// Returns true for the first one that takes it.
    pub(super) fn take(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }
}

/// The queues of a client's requests.
pub(super) struct Queues {
    /// Requests of `on_open`, which are sent before all others.
    pub(super) first: Queue,
    pub(super) others: Queue,
}

/// One queue of requests.
pub(super) struct Queue {
    requests: mpsc::Receiver<Request>,
    /// The first request, if it is a call that the server does not accept yet.
    held: Option<Request>,
}

impl Queues {
    /// Polls for the next request. Those of the second queue wait until `opened`, and calls while not `may_call`.
    pub(super) fn poll(&mut self, cx: &mut Task<'_>, opened: bool, may_call: bool) -> Poll<Request> {
        match self.first.poll(cx, may_call) {
            Poll::Pending if opened => self.others.poll(cx, may_call),
            polled => polled,
        }
    }

    /// Fails the requests that wait now.
    pub(super) fn fail(&mut self, error: impl Fn() -> CallError) {
        for queue in [&mut self.first, &mut self.others] {
            for request in queue.drain() {
                answer(request.reply, Err(error()));
            }
        }
    }

    /// Ends the queues, and fails the requests that still wait in them.
    pub(super) async fn close(&mut self) {
        for queue in [&mut self.first, &mut self.others] {
            while let Some(request) = queue.close().await {
                answer(request.reply, Err(CallError::Closed));
            }
        }
    }
}

impl Queue {
    pub(super) fn new(requests: mpsc::Receiver<Request>) -> Self {
        Self { requests, held: None }
    }

    fn poll(&mut self, cx: &mut Task<'_>, may_call: bool) -> Poll<Request> {
        loop {
            let request = match self.held.take() {
                Some(held) => held,
                None => match self.requests.poll_recv(cx) {
                    Poll::Ready(Some(request)) => request,
                    Poll::Ready(None) | Poll::Pending => return Poll::Pending,
                },
            };
            if may_call || request.id.is_none() {
                return Poll::Ready(request);
            }
            // A call that its caller gives up no longer holds up the messages behind it.
            if self.held.insert(request).reply.poll_closed(cx).is_pending() {
                return Poll::Pending;
            }
            self.held = None;
        }
    }

    /// Returns the requests that wait now.
    fn drain(&mut self) -> impl Iterator<Item = Request> {
        let waiting = self.requests.len();
        let held = self.held.take();
        held.into_iter()
            .chain((0..waiting).map_while(|_| self.requests.try_recv().ok()))
    }

    /// Ends the queue. Returns the requests that still wait in it, one after the other.
    async fn close(&mut self) -> Option<Request> {
        self.requests.close();
        match self.held.take() {
            Some(held) => Some(held),
            None => self.requests.recv().await,
        }
    }
}

pub(super) type Reply = oneshot::Sender<Result<Bytes, CallError>>;

/// Answers a call. Has no effect if the caller no longer waits.
pub(super) fn answer(reply: Reply, result: Result<Bytes, CallError>) {
    drop(reply.send(result));
}
