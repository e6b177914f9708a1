//! The driver: what moves a connection, on one page.

use std::{
    future::poll_fn,
    panic::AssertUnwindSafe,
    sync::Arc,
    task::{Context as Task, Poll},
};

use futures_util::{FutureExt, future::join};
use tokio::time::timeout;
use tower::{BoxError, Service};
use zocket_layers::{Close, Error, Frame, Limits, hub::Delivery};

use super::{
    departure::Departure,
    heartbeat::{Beat, Heartbeat},
    session::{Begun, Session},
    socket::{Broken, Received, Socket},
    stir::Stir,
};
use crate::{app::Core, on_connect::BoxFuture};

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
    stir: Stir,
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
    S: Service<Frame, Response = Option<Vec<u8>>, Error = BoxError>,
{
    pub(super) fn new(
        socket: Socket,
        session: Session<S>,
        opening: Option<BoxFuture<Result<(), Error>>>,
        limits: Arc<Limits>,
    ) -> Self {
        let heartbeat = Heartbeat::new(limits.clone());
        let stir = Stir::new(session.waker().clone());
        Self {
            socket,
            session,
            opening,
            heartbeat,
            stir,
            limits,
        }
    }

    /// Drives the connection to its end, and the handlers that are still running to theirs; then comes the departure,
    /// which does not wait for a peer that takes its time to say goodbye.
    pub(super) async fn run<C: Send + Sync + 'static>(
        mut self: Box<Self>,
        core: Arc<Core<C>>,
        departure: Departure<C>,
    ) {
        let end = poll_fn(|cx| self.poll(cx)).await;
        self.session.hang_up();
        // Boxed: an idle connection need not carry what happens at its end.
        Box::pin(core.ends.run(self.end(end, departure))).await;
    }

    async fn end<C: Send + Sync + 'static>(self, end: End, departure: Departure<C>) {
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
            departure.depart().await;
        };
        join(goodbye, finish).await;
    }

    fn poll(&mut self, cx: &mut Task<'_>) -> Poll<End> {
        // While the task has its budget: reading from a peer that never stops sending would use it up.
        if let Poll::Ready(Err(_)) = self.socket.poll_write(cx) {
            return Poll::Ready(End::Gone);
        }
        self.session.listen(cx);
        let mut turn = Turn {
            messages: 0,
            may_read: self.stir.take(),
        };
        loop {
            let Self { socket, session, .. } = self;
            if let Some(end) = End::of(session.poll_outgoing(cx, socket.outbound())) {
                return Poll::Ready(end);
            }
            if let Err(end) = self.poll_opening(cx) {
                let Self { socket, session, .. } = self;
                // What on_open sent before it failed goes out first; what was read meanwhile is not handled.
                session.poll_outgoing(cx, socket.outbound());
                session.forget();
                return Poll::Ready(end);
            }
            let hold = self.is_on_hold();
            let begun = if self.opening.is_none() {
                self.session.poll_begin(cx, hold, self.socket.outbound())
            } else {
                Begun::default()
            };
            if begun.any {
                // Whatever waits now has not waited before.
                self.heartbeat.waits(false);
            }
            self.heartbeat.waits(begun.waits);
            if let Some(end) = End::of(begun.delivery) {
                return Poll::Ready(end);
            }
            turn.messages += usize::from(begun.any);
            let read = match self.poll_read(cx, &mut turn) {
                Ok(read) => read,
                Err(end) => return Poll::Ready(end),
            };
            let is_over = turn.messages >= MESSAGES_A_TURN;
            // What was begun may have something to say already, which then goes out with the rest.
            if (read || begun.any) && !is_over && self.session.has_more() {
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
            if is_over {
                // Others have a turn, too.
                self.stir.keep();
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if hold && !self.is_on_hold() {
                continue;
            }
            match self.heartbeat.poll(&mut Task::from_waker(self.stir.waker())) {
                Poll::Pending => {
                    if turn.may_read {
                        self.stir.keep();
                    }
                    self.socket.rest();
                    self.session.rest();
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

    /// Whether the answers to what is begun have to be written before more is: begun as fast as it is read, one packet
    /// of small calls would be answered into memory, and its sender taken for a slow reader.
    fn is_on_hold(&self) -> bool {
        self.socket.weight() > self.limits.outbound.max(self.limits.message) / 2
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

    /// Reads what is there, as far as the queue has room, and begins what can be begun. Returns whether there was a
    /// message.
    fn poll_read(&mut self, cx: &mut Task<'_>, turn: &mut Turn) -> Result<bool, End> {
        let (mut heard, mut read) = (false, false);
        while turn.may_read && turn.messages < MESSAGES_A_TURN {
            if !self.session.has_room() {
                // Nobody listens: the peer's silence says nothing.
                heard = true;
                break;
            }
            let stream = &mut Task::from_waker(self.stir.waker());
            let Poll::Ready(received) = self.socket.poll_read(stream) else {
                turn.may_read = false;
                break;
            };
            heard = true;
            let frame = match received {
                Ok(Received::Text(text)) => self.session.frames().text(text),
                Ok(Received::Binary(bytes)) => self.session.frames().bytes(bytes),
                Ok(Received::Control) => continue,
                Ok(Received::Closed) => return Err(End::ByPeer),
                Err(Broken::Gone) => return Err(End::Gone),
                Err(Broken::Violation(close)) => return Err(End::ByUs(close)),
            };
            let may_begin = self.opening.is_none() && !self.is_on_hold();
            let begun = self.session.receive(frame, may_begin, cx, self.socket.outbound());
            if let Some(end) = End::of(begun.delivery) {
                return Err(end);
            }
            turn.messages += usize::from(begun.any);
            read = true;
        }
        if heard {
            self.heartbeat.hear();
        }
        Ok(read)
    }
}

impl End {
    /// What a mailbox asks for.
    fn of(delivery: Delivery) -> Option<Self> {
        match delivery {
            Delivery::Open => None,
            Delivery::Close(close) => Some(Self::ByUs(close)),
            Delivery::Overflowed => Some(Self::ByUs(SLOW_READER)),
        }
    }
}

/// So many messages are begun before other connections have their turn.
const MESSAGES_A_TURN: usize = 64;

/// What a connection does between two looks of the runtime.
struct Turn {
    /// Messages begun.
    messages: usize,
    /// Whether there may be something to read.
    may_read: bool,
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
