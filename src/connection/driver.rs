//! The driver: moves a connection, on one page.

use std::{
    future::{Future, poll_fn},
    panic::AssertUnwindSafe,
    sync::Arc,
    task::{Context as Task, Poll, ready},
    time::Duration,
};

use futures_util::{FutureExt, future::join};
use tokio::time::{sleep, timeout};
use tower::{BoxError, Service};
use zocket_layers::{Close, Error, Frame, FrameResponse, Limits};

use super::{
    handlers::Handlers,
    io_wake_flag::IoWakeFlag,
    session::{DueAction, End, INTERNAL_ERROR, SLOW_READER, STALLED, Session, UNAVAILABLE},
    timer::{Timer, now},
    websocket::{ReadError, Received, WebSocket},
};
use crate::core::{BoxFuture, Core, DisconnectGuard};

/// Moves bytes between a session and its socket, and messages between the session and the handlers, until one of them
/// ends.
///
/// Each round lets out before it lets in: first events and responses are queued, then messages begin, then messages are
/// read. It reads a message *before* it awaits the pipeline's readiness, and then calls: the other order would let idle
/// sockets hoard the permits of a shared limit. While it waits for readiness it goes on writing, polling messages in
/// flight and reading, into a bounded queue: a bare `ready().await` would deadlock with a concurrency limit whose permits
/// are held by this connection's own messages.
pub(super) struct Driver<S: Service<Frame>> {
    socket: WebSocket,
    session: Session,
    handlers: Handlers<S>,
    /// `on_open`, until it has ended. Messages that are read before wait in the queue.
    opening: Option<BoxFuture<Result<(), Error>>>,
    timer: Timer,
    io_wake_flag: IoWakeFlag,
}

impl<S> Driver<S>
where
    S: Service<Frame>,
    S::Response: Into<FrameResponse>,
    S::Error: Into<BoxError>,
{
    pub(super) fn new(
        socket: WebSocket,
        session: Session,
        pipeline: S,
        opening: Option<BoxFuture<Result<(), Error>>>,
    ) -> Self {
        let timer = Timer::new(&session);
        let io_wake_flag = IoWakeFlag::new(session.waker().clone());
        Self {
            socket,
            session,
            handlers: Handlers::new(pipeline),
            opening,
            timer,
            io_wake_flag,
        }
    }

    /// Drives the connection to its end, and the handlers that are still running to theirs. Then `on_disconnect` runs; it
    /// does not wait for a peer that takes its time to answer the Close.
    pub(super) async fn run<C: Send + Sync + 'static>(
        mut self: Box<Self>,
        core: Arc<Core<C>>,
        guard: DisconnectGuard<C>,
    ) {
        let end = poll_fn(|cx| self.poll(cx)).await;
        self.session.stop_sending();
        // Boxed: an idle connection need not carry its teardown.
        Box::pin(core.teardown.run(self.tear_down(end, &core.limits, guard))).await;
    }

    async fn tear_down<C: Send + Sync + 'static>(self, end: End, limits: &Limits, guard: DisconnectGuard<C>) {
        let Self {
            mut socket,
            mut session,
            mut handlers,
            opening,
            ..
        } = self;
        let mut outbound = std::mem::take(session.outbound());
        // The socket, and the frames that are not written, go when the Close has been answered, not when the last handler
        // has ended.
        let close = async move {
            let close = async {
                match end {
                    End::ByPeer => socket.answer_close(&mut outbound).await,
                    End::ByServer(close) => socket.close(&mut outbound, close).await,
                    End::Gone => {}
                }
            };
            let _ = timeout(limits.close_within, close).await;
        };
        let finish = async {
            if let Some(opening) = opening
                && !matches!(AssertUnwindSafe(opening).catch_unwind().await, Ok(Ok(())))
            {
                session.drop_queue();
            }
            finish(&mut session, &mut handlers, limits.stall).await;
            guard.run().await;
        };
        join(close, finish).await;
    }

    fn poll(&mut self, cx: &mut Task<'_>) -> Poll<End> {
        // While the task has its budget: reading from a peer that never stops sending would use it up.
        if let Poll::Ready(Err(_)) = self.socket.poll_write(self.session.outbound(), cx) {
            return Poll::Ready(End::Gone);
        }
        // From here on the mailbox wakes the task.
        let _ = self.session.mailbox().poll_notified(cx);
        let mut round = Round {
            messages: 0,
            may_read: self.io_wake_flag.take(),
        };
        loop {
            if let Some(end) = self.poll_outgoing(cx) {
                return Poll::Ready(end);
            }
            if let Err(end) = self.poll_opening(cx) {
                // Events that on_open sent before it failed go out first; messages that were read meanwhile do not begin.
                self.session.send_notified();
                self.session.drop_queue();
                return Poll::Ready(end);
            }
            let is_on_hold = self.is_on_hold();
            let begun = match self.begin_queued(cx, is_on_hold) {
                Ok(begun) => begun,
                Err(end) => return Poll::Ready(end),
            };
            round.messages += usize::from(begun);
            let has_read = match self.poll_read(cx, &mut round) {
                Ok(has_read) => has_read,
                Err(end) => return Poll::Ready(end),
            };
            let is_over = round.messages >= MESSAGES_A_ROUND;
            // A message that began may have sent something already, which then goes out with the rest.
            if (has_read || begun) && !is_over && self.session.has_more() {
                continue;
            }
            match self.socket.poll_write(self.session.outbound(), cx) {
                Poll::Ready(Err(_)) => return Poll::Ready(End::Gone),
                Poll::Pending if self.session.is_slow_reader(self.socket.control_bytes()) => {
                    return Poll::Ready(End::ByServer(SLOW_READER));
                }
                Poll::Ready(Ok(())) if self.session.is_finished() => {
                    return Poll::Ready(End::ByServer(UNAVAILABLE));
                }
                _ => {}
            }
            if is_over {
                // Other connections have a turn.
                self.io_wake_flag.set();
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if is_on_hold && !self.is_on_hold() {
                continue;
            }
            let timer = &mut Task::from_waker(self.io_wake_flag.waker());
            match self.timer.poll(&mut self.session, timer) {
                Poll::Pending => {
                    if round.may_read {
                        self.io_wake_flag.set();
                    }
                    self.socket.shrink();
                    self.session.settle_idle(self.socket.control_bytes());
                    self.handlers.shrink();
                    return Poll::Pending;
                }
                Poll::Ready(DueAction::Ping) => self.socket.ping(),
                Poll::Ready(DueAction::Gone) => return Poll::Ready(End::Gone),
                Poll::Ready(DueAction::Stalled) => {
                    // The client is to come back and ask again: its messages are not handled as well, much later.
                    self.session.drop_queue();
                    return Poll::Ready(End::ByServer(STALLED));
                }
            }
        }
    }

    /// Queues responses of messages that have ended, and events.
    fn poll_outgoing(&mut self, cx: &mut Task<'_>) -> Option<End> {
        while let Poll::Ready(Some((message, handled))) = self.handlers.poll_next(cx) {
            let end = self.session.end_in_flight(&message, handled);
            if end.is_some() {
                return end;
            }
        }
        self.session.send_notified()
    }

    /// Polls `on_open`.
    fn poll_opening(&mut self, cx: &mut Task<'_>) -> Result<(), End> {
        let Some(opening) = &mut self.opening else {
            return Ok(());
        };
        let close = match AssertUnwindSafe(opening).catch_unwind().poll_unpin(cx) {
            Poll::Pending => return Ok(()),
            Poll::Ready(Ok(Ok(()))) => None,
            Poll::Ready(Ok(Err(error))) => Some(Close::new(1008, error.code().as_str())),
            Poll::Ready(Err(_)) => Some(INTERNAL_ERROR),
        };
        self.opening = None;
        match close {
            Some(close) => {
                tracing::error!(client = %self.session.client_id(), ?close, "on_open failed");
                Err(End::ByServer(close))
            }
            None => Ok(()),
        }
    }

    /// Returns true if responses have to be written before more messages begin.
    fn is_on_hold(&self) -> bool {
        self.session.is_on_hold(self.socket.control_bytes())
    }

    /// Begins the next queued message, if it may begin and the pipeline is ready. Returns whether one has begun.
    fn begin_queued(&mut self, cx: &mut Task<'_>, is_on_hold: bool) -> Result<bool, End> {
        if self.opening.is_some() || !self.session.may_begin() {
            self.session.end_wait();
            return Ok(false);
        }
        let ready = match is_on_hold {
            true => Poll::Pending,
            false => self.handlers.poll_ready(cx),
        };
        match ready {
            Poll::Pending => {
                self.session.begin_wait(now);
                self.timer.set_earlier(&self.session);
                return Ok(false);
            }
            Poll::Ready(Err(error)) => self.session.fail(error),
            Poll::Ready(Ok(())) => {
                if let Some(frame) = self.session.take_queued() {
                    self.session.end_wait();
                    return begin(&mut self.session, &mut self.handlers, frame, cx).map(|()| true);
                }
            }
        }
        self.session.end_wait();
        Ok(false)
    }

    /// Reads messages, as far as the queue has room, and begins those that may begin. Returns whether there was one.
    fn poll_read(&mut self, cx: &mut Task<'_>, round: &mut Round) -> Result<bool, End> {
        let (mut has_activity, mut has_read) = (false, false);
        while round.may_read && round.messages < MESSAGES_A_ROUND {
            if !self.session.has_room() {
                // The peer's silence says nothing while nobody reads.
                has_activity = true;
                break;
            }
            let stream = &mut Task::from_waker(self.io_wake_flag.waker());
            let Poll::Ready(received) = self.socket.poll_read(self.session.outbound(), stream) else {
                round.may_read = false;
                break;
            };
            has_activity = true;
            let frame = match received {
                Ok(Received::Text(text)) => self.session.text_frame(text),
                Ok(Received::Binary(bytes)) => self.session.binary_frame(bytes),
                Ok(Received::Control) => continue,
                Ok(Received::Closed) => return Err(End::ByPeer),
                Err(ReadError::Gone) => return Err(End::Gone),
                Err(ReadError::Violation(close)) => return Err(End::ByServer(close)),
            };
            has_read = true;
            let may_begin = self.opening.is_none() && !self.is_on_hold();
            let Some(frame) = self.session.receive(frame, may_begin) else {
                continue;
            };
            match self.handlers.poll_ready(cx) {
                Poll::Ready(Ok(())) => {
                    begin(&mut self.session, &mut self.handlers, frame, cx)?;
                    round.messages += 1;
                }
                Poll::Ready(Err(error)) => {
                    self.session.queue(frame);
                    self.session.fail(error);
                }
                Poll::Pending => self.session.queue(frame),
            }
        }
        if has_activity {
            self.session.record_activity(now());
        }
        Ok(has_read)
    }
}

/// Begins a message, now that the pipeline is ready for it.
fn begin<S>(
    session: &mut Session,
    handlers: &mut Handlers<S>,
    mut frame: Frame,
    cx: &mut Task<'_>,
) -> Result<(), End>
where
    S: Service<Frame>,
    S::Response: Into<FrameResponse>,
    S::Error: Into<BoxError>,
{
    let message = session.begin(&mut frame);
    let end = match handlers.call(frame, message, cx) {
        Ok((message, handled)) => session.end(&message, handled),
        Err(message) => {
            session.stays_in_flight(message);
            None
        }
    };
    end.map_or(Ok(()), Err)
}

/// Handles the messages that were read to their end, now that no peer is there to be told. A message that waits for
/// readiness longer than `stall` is given up.
async fn finish<S>(session: &mut Session, handlers: &mut Handlers<S>, stall: Duration)
where
    S: Service<Frame>,
    S::Response: Into<FrameResponse>,
    S::Error: Into<BoxError>,
{
    let mut stalled = None;
    poll_fn(|cx| {
        loop {
            // A concurrent route that gives up its turn wakes the mailbox's waker.
            let _ = session.mailbox().poll_notified(cx);
            let mut is_waiting = false;
            let mut begun = false;
            if session.may_begin() {
                match handlers.poll_ready(cx) {
                    Poll::Pending => is_waiting = true,
                    Poll::Ready(Err(error)) => session.fail(error),
                    Poll::Ready(Ok(())) => {
                        if let Some(frame) = session.take_queued() {
                            begun = true;
                            let _ = begin(session, handlers, frame, cx);
                        }
                    }
                }
            }
            if begun || !is_waiting {
                stalled = None;
            }
            let polled = handlers.poll_next(cx);
            match polled {
                Poll::Ready(Some((message, handled))) => drop(session.end_in_flight(&message, handled)),
                Poll::Ready(None) if session.is_queue_empty() => return Poll::Ready(()),
                _ if begun => {}
                _ if is_waiting => {
                    session.report();
                    let stalled = stalled.get_or_insert_with(|| Box::pin(sleep(stall)));
                    ready!(stalled.as_mut().poll(cx));
                    let count = session.drop_queue();
                    tracing::warn!(client = %session.client_id(), count, "messages given up: no readiness");
                }
                _ => {
                    session.report();
                    return Poll::Pending;
                }
            }
            // Nobody is left to read it.
            session.outbound().forget();
        }
    })
    .await;
}

/// Limit for the messages that begin before other connections have a turn.
const MESSAGES_A_ROUND: usize = 64;

/// One poll of a connection.
struct Round {
    /// Messages that have begun.
    messages: usize,
    /// True if there may be something to read.
    may_read: bool,
}
