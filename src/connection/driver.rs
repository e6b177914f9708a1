//! The driver: what moves a connection, on one page.

use std::{
    future::poll_fn,
    panic::AssertUnwindSafe,
    sync::Arc,
    task::{Context as Task, Poll},
};

use bytes::Bytes;
use futures_util::{FutureExt, future::join};
use tokio::time::timeout;
use tower::{BoxError, Service};
use zocket_layers::{Close, Error, Frame, Limits, hub::Delivery};

use super::{
    heartbeat::{Beat, Heartbeat},
    session::{Begun, Session},
    socket::{Broken, Received, Socket},
};
use crate::on_connect::BoxFuture;

/// Moves a session and its socket until one of them ends.
///
/// Each round lets out before it lets in: what handlers and rooms send; then messages are begun, then read. It
/// reads a message first, *then* awaits the pipeline's readiness, *then* calls: the other order would let idle
/// sockets hoard the permits of a shared limit. While it waits for readiness it goes on writing, polling what is
/// in flight and reading, into a bounded queue: a bare `ready().await` would deadlock with a concurrency limit
/// whose permits are held by this connection's own messages.
pub(super) struct Driver<S: Service<Frame>> {
    socket: Socket,
    session: Session<S>,
    /// `on_open`, until it has ended. What is read before waits in the queue.
    opening: Option<BoxFuture<Result<(), Error>>>,
    heartbeat: Heartbeat,
    limits: Arc<Limits>,
}

/// How a connection ends.
enum End {
    /// By the peer's Close frame.
    ByPeer,
    /// By ours.
    ByUs(Close),
    /// Without any.
    Gone,
}

impl<S> Driver<S>
where
    S: Service<Frame, Response = Option<Bytes>, Error = BoxError>,
{
    pub(super) fn new(
        socket: Socket,
        session: Session<S>,
        opening: Option<BoxFuture<Result<(), Error>>>,
        limits: Arc<Limits>,
    ) -> Self {
        let heartbeat = Heartbeat::new(&limits);
        Self {
            socket,
            session,
            opening,
            heartbeat,
            limits,
        }
    }

    /// Drives the connection to its end, and the handlers that are still running to theirs; then comes `departure`,
    /// which does not wait for a peer that takes its time to say goodbye.
    pub(super) async fn run(mut self, departure: impl Future<Output = ()>) {
        let end = poll_fn(|cx| self.poll(cx)).await;
        self.session.hang_up();
        let Self {
            mut socket,
            mut session,
            opening,
            limits,
            ..
        } = self;
        let goodbye = async {
            let goodbye = async {
                match end {
                    End::ByPeer => socket.answer_close().await,
                    End::ByUs(close) => socket.close(close).await,
                    End::Gone => {}
                }
            };
            let _ = timeout(limits.close_within, goodbye).await;
            drop(socket);
        };
        let finish = async {
            if let Some(opening) = opening
                && !matches!(AssertUnwindSafe(opening).catch_unwind().await, Ok(Ok(())))
            {
                session.forget();
            }
            session.finish().await;
            departure.await;
        };
        join(goodbye, finish).await;
    }

    fn poll(&mut self, cx: &mut Task<'_>) -> Poll<End> {
        // While the task has its budget: reading from a peer that never stops sending would use it up.
        if let Poll::Ready(Err(_)) = self.socket.poll_write(cx) {
            return Poll::Ready(End::Gone);
        }
        loop {
            let Self { socket, session, .. } = self;
            match session.poll_outgoing(cx, |frame| socket.send(frame)) {
                Delivery::Open => {}
                Delivery::Close(close) => return Poll::Ready(End::ByUs(close)),
                Delivery::Overflowed => return Poll::Ready(End::ByUs(SLOW_READER)),
            }
            if let Err(end) = self.poll_opening(cx) {
                let Self { socket, session, .. } = self;
                // What on_open sent before it failed goes out first; what was read meanwhile is not handled.
                session.poll_outgoing(cx, |frame| socket.send(frame));
                session.forget();
                return Poll::Ready(end);
            }
            let Self { socket, session, .. } = self;
            // The answers to what is begun have to be written first: begun as fast as it is read, one packet of
            // small calls would be answered into memory, and its sender taken for a slow reader.
            let room = self.limits.outbound.max(self.limits.message) / 2;
            let hold = socket.weight() > room;
            let begun = if self.opening.is_none() {
                session.poll_begin(cx, hold, |frame| socket.send(frame))
            } else {
                Begun::default()
            };
            if begun.any {
                // Whatever waits now has not waited before.
                self.heartbeat.waits(false);
            }
            self.heartbeat.waits(begun.waits);

            let read = match self.poll_read(cx) {
                Ok(read) => read,
                Err(end) => return Poll::Ready(end),
            };
            // Something was begun, or can be: it may have something to say already, which then goes out with the
            // rest.
            if read || begun.any {
                continue;
            }
            match self.socket.poll_write(cx) {
                Poll::Ready(Err(_)) => return Poll::Ready(End::Gone),
                Poll::Pending if self.socket.weight() > self.limits.outbound.max(self.limits.message) => {
                    return Poll::Ready(End::ByUs(SLOW_READER));
                }
                Poll::Ready(Ok(())) if self.session.is_finished() => {
                    return Poll::Ready(End::ByUs(UNAVAILABLE));
                }
                _ => {}
            }
            if hold && self.socket.weight() <= room {
                continue;
            }
            match self.heartbeat.poll(cx) {
                Poll::Pending => {
                    self.socket.tell();
                    self.session.tell();
                    return Poll::Pending;
                }
                Poll::Ready(Beat::Ask) => self.socket.ping(),
                Poll::Ready(Beat::Gone) => return Poll::Ready(End::Gone),
                Poll::Ready(Beat::Stalled) => {
                    // The client is to come back and ask again: what it asked here is not done as well, much later.
                    self.session.forget();
                    return Poll::Ready(End::ByUs(STALLED));
                }
            }
        }
    }

    /// Runs `on_open` on.
    fn poll_opening(&mut self, cx: &mut Task<'_>) -> Result<(), End> {
        let Some(opening) = &mut self.opening else {
            return Ok(());
        };
        let close = match AssertUnwindSafe(opening).catch_unwind().poll_unpin(cx) {
            Poll::Pending => return Ok(()),
            Poll::Ready(Ok(Ok(()))) => None,
            Poll::Ready(Ok(Err(error))) => Some(Close::new(1008, error.code().as_str())),
            Poll::Ready(Err(_)) => Some(Close::new(1011, "internal-error")),
        };
        self.opening = None;
        match close {
            Some(close) => {
                tracing::error!(client = %self.session.client_id(), ?close, "on_open failed");
                Err(End::ByUs(close))
            }
            None => Ok(()),
        }
    }

    /// Reads what is there, as far as the queue has room. Returns whether there was a message.
    fn poll_read(&mut self, cx: &mut Task<'_>) -> Result<bool, End> {
        let mut read = false;
        while self.session.has_room() {
            let Poll::Ready(received) = self.socket.poll_read(cx) else {
                return Ok(read);
            };
            self.heartbeat.hear();
            match received {
                Ok(Received::Data(bytes)) => {
                    if let Some(frame) = self.session.push(bytes) {
                        self.socket.send(frame);
                    }
                    read = true;
                }
                Ok(Received::Control) => {}
                Ok(Received::Closed) => return Err(End::ByPeer),
                Err(Broken::Gone) => return Err(End::Gone),
                Err(Broken::Violation(close)) => return Err(End::ByUs(close)),
            }
        }
        // Nobody listens: the peer's silence says nothing.
        self.heartbeat.hear();
        Ok(read)
    }
}

const SLOW_READER: Close = Close {
    code: 3002,
    reason: std::borrow::Cow::Borrowed("slow-reader"),
};
const STALLED: Close = Close {
    code: 3001,
    reason: std::borrow::Cow::Borrowed("stalled"),
};
const UNAVAILABLE: Close = Close {
    code: 1011,
    reason: std::borrow::Cow::Borrowed("unavailable"),
};
