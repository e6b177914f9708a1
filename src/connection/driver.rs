//! The driver of a connection, on one page.

use std::{
    io,
    task::{Context as Task, Poll, ready},
};

use tower::{BoxError, Service};
use zocket_layers::{Error, Frame, FrameResponse};

use super::{
    budget::{Round, wake_later},
    handlers::{Handlers, begin},
    io_wake_flag::IoWakeFlag,
    opening::poll_opening,
    session::{DueAction, End, Session},
    teardown::Teardown,
    timer::{Timer, now},
    websocket::{ReadError, Received, WebSocket},
};
use crate::core::{BoxFuture, closes::UNAVAILABLE};

/// Moves bytes between a session and its socket, and messages between the session and the handlers, until the
/// connection ends.
///
/// Each pass of the loop handles output before input: it queues responses and events, begins queued messages, then
/// reads messages, and then writes the queued frames. A message is read *before* the pipeline's readiness is polled for
/// it. In the other order, idle sockets would hoard the permits of a shared limit. While the pipeline is not ready, the
/// driver keeps writing, polling messages in flight, and reading into a bounded queue. A bare `ready().await` would
/// deadlock with a concurrency limit whose permits are held by this connection's own messages.
///
/// One poll of the task is divided: every message in flight is polled once, with a budget of its own, then at most
/// 64 frames are read and messages begun ([`Round`]), then everything is written that the socket accepts. So a handler
/// that is always ready delays the connection's other messages and its control frames by one share of tokio's budget.
pub(super) struct Driver<S: Service<Frame>> {
    /// `None` while the session is parked.
    pub(super) socket: Option<WebSocket>,
    pub(super) session: Session,
    handlers: Handlers<S>,
    /// `on_open`, until it has completed. Messages that are read before that stay in the queue.
    pub(super) opening: Option<BoxFuture<Result<(), Error>>>,
    /// The end of the connection, once nothing more is read. It takes place when the messages that were read before it
    /// have been answered.
    pub(super) closing: Option<Box<End>>,
    pub(super) timer: Timer,
    pub(super) io_wake_flag: IoWakeFlag,
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
            socket: Some(socket),
            session,
            handlers: Handlers::new(pipeline),
            opening,
            closing: None,
            timer,
            io_wake_flag,
        }
    }

    pub(super) fn into_teardown(self) -> Teardown<S> {
        Teardown {
            socket: self.socket,
            session: self.session,
            handlers: self.handlers,
            opening: self.opening,
        }
    }

    /// Polls the session. A connection that breaks is no end of a session that is parked.
    pub(super) fn poll(&mut self, cx: &mut Task<'_>) -> Poll<End> {
        loop {
            let end = ready!(self.poll_session(cx));
            if let Some(end) = self.park(end) {
                return Poll::Ready(end);
            }
        }
    }

    fn poll_session(&mut self, cx: &mut Task<'_>) -> Poll<End> {
        // Written first, because messages are on hold for frames that the socket may accept by now.
        if let Poll::Ready(Err(_)) = self.poll_write(cx) {
            return Poll::Ready(End::Gone);
        }
        // Registers the task's waker before the mailbox and the slot are read, so that no notification is lost.
        let _ = self.session.mailbox().poll_notified(cx);
        if let Err(end) = self.attach() {
            return Poll::Ready(end);
        }
        let mut round = Round::new(self.io_wake_flag.take() && self.closing.is_none());
        loop {
            if let Some(end) = self.poll_outgoing(cx) {
                return Poll::Ready(end);
            }
            if let Err(end) = poll_opening(&mut self.opening, self.session.client_id(), cx) {
                // Events that on_open sent before it failed are written before the Close. Messages that were read
                // meanwhile do not begin.
                self.session.send_all();
                self.session.drop_queue();
                return Poll::Ready(end);
            }
            let is_on_hold = self.is_on_hold();
            let begun = match self.begin_queued(cx, is_on_hold) {
                Ok(begun) => begun,
                Err(end) => return Poll::Ready(end),
            };
            if begun {
                round.step();
            }
            let has_read = match self.poll_read(cx, &mut round) {
                Ok(has_read) => has_read,
                Err(end) => return Poll::Ready(end),
            };
            // A message that began may have sent events already. They are queued first, so that they go out in the same
            // write.
            if (has_read || begun) && !round.is_over() && self.session.has_more() {
                continue;
            }
            match self.poll_write(cx) {
                Poll::Ready(Err(_)) => return Poll::Ready(End::Gone),
                Poll::Pending if self.session.is_slow_reader(self.control_bytes()) => {
                    return Poll::Ready(End::SlowReader);
                }
                Poll::Ready(Ok(())) if self.session.may_release() => continue,
                written if self.session.is_finished() && (written.is_ready() || self.socket.is_none()) => {
                    return Poll::Ready(End::ByServer(UNAVAILABLE));
                }
                Poll::Ready(Ok(())) if self.closing.is_some() && self.session.may_close() => {
                    return Poll::Ready(self.take_closing().unwrap_or(End::Gone));
                }
                _ => {}
            }
            if round.is_over() {
                // Yields to other connections. The flag is set, because there may be more to read.
                self.io_wake_flag.set();
                wake_later(cx);
                return Poll::Pending;
            }
            // Enough has been written for the next message to begin.
            if is_on_hold && !self.is_on_hold() {
                continue;
            }
            let timer = &mut Task::from_waker(self.io_wake_flag.waker());
            match self.timer.poll(&mut self.session, timer) {
                Poll::Pending => {
                    // The queue was full before the socket was drained, so the next poll has to read on.
                    if round.may_read {
                        self.io_wake_flag.set();
                    }
                    if let Some(socket) = &mut self.socket {
                        socket.shrink();
                    }
                    self.session.settle_idle(self.control_bytes());
                    self.handlers.shrink();
                    return Poll::Pending;
                }
                Poll::Ready(DueAction::Ping) => {
                    if let Some(socket) = &mut self.socket {
                        socket.ping();
                    }
                }
                Poll::Ready(DueAction::Acknowledge) => self.session.acknowledge(),
                Poll::Ready(DueAction::Expired) => {
                    if !self.session.holds(now()) {
                        return Poll::Ready(End::Expired);
                    }
                }
                Poll::Ready(DueAction::AnswerClose) => {
                    // A peer that does not accept the answers would not accept the Close, either.
                    let is_written = self.session.outbound().is_empty();
                    let end = self.take_closing().filter(|_| is_written);
                    return Poll::Ready(end.unwrap_or(End::Gone));
                }
                Poll::Ready(DueAction::Gone) => return Poll::Ready(End::Silent),
                Poll::Ready(DueAction::Unwritable) => return Poll::Ready(End::Unwritable),
                Poll::Ready(DueAction::Stalled) => {
                    // The client is expected to reconnect and to send its messages again. Without this, the old ones
                    // would be handled as well, much later.
                    self.session.drop_queue();
                    return Poll::Ready(End::Stalled);
                }
            }
        }
    }

    /// Writes the queued frames, as far as the socket accepts them. Pending while there is no socket.
    fn poll_write(&mut self, cx: &mut Task<'_>) -> Poll<io::Result<()>> {
        let Some(socket) = &mut self.socket else {
            return Poll::Pending;
        };
        let polled = socket.poll_write(self.session.outbound(), cx);
        if polled.is_ready() {
            self.session.end_refusal();
        } else if self.session.record_refusal(socket.take_progress(), now) {
            self.timer.set_earlier(&self.session);
        }
        polled
    }

    /// Queues the responses of messages that have completed, and events.
    fn poll_outgoing(&mut self, cx: &mut Task<'_>) -> Option<End> {
        while let Poll::Ready(Some((message, handled))) = self.handlers.poll_next(cx) {
            let end = self.session.end_in_flight(&message, handled);
            if end.is_some() {
                return end;
            }
        }
        self.session.send_notified()
    }

    fn take_closing(&mut self) -> Option<End> {
        self.closing.take().map(|end| *end)
    }

    fn control_bytes(&self) -> usize {
        self.socket.as_ref().map_or(0, WebSocket::control_bytes)
    }

    /// Returns true if responses have to be written before more messages begin.
    fn is_on_hold(&self) -> bool {
        self.session.is_on_hold(self.control_bytes())
    }

    /// Begins the next queued message, if `on_open` has completed, a turn is free and the pipeline is ready. Returns
    /// true if it has begun.
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

    /// Reads messages while the queue has room, and begins those that may begin. Returns true if a message was read.
    fn poll_read(&mut self, cx: &mut Task<'_>, round: &mut Round) -> Result<bool, End> {
        let (mut has_activity, mut has_read) = (false, false);
        while round.may_read && !round.is_over() {
            if !self.session.has_room() {
                // While the queue is full nothing is read, so the peer's silence does not show that it is gone.
                has_activity = true;
                break;
            }
            let stream = &mut Task::from_waker(self.io_wake_flag.waker());
            let Some(Poll::Ready(received)) = self.socket.as_mut().map(|socket| socket.poll_read(stream))
            else {
                round.may_read = false;
                has_activity |= self.socket.as_mut().is_some_and(WebSocket::take_received);
                break;
            };
            has_activity = true;
            round.step();
            let frame = match received {
                Ok(Received::Text(text)) => self.session.text_frame(text),
                Ok(Received::Binary(bytes)) => self.session.binary_frame(bytes),
                Ok(Received::Control) => continue,
                Err(ReadError::Gone) => return Err(End::Gone),
                Ok(Received::Closed(close)) => {
                    let end = End::ByPeer(close);
                    if self.opening.is_none() && self.session.survives(&end) {
                        return Err(end);
                    }
                    self.stop_reading(end, round);
                    break;
                }
                Err(ReadError::Violation(close)) => {
                    self.stop_reading(End::ByServer(close), round);
                    break;
                }
            };
            has_read = true;
            let may_begin = self.opening.is_none() && !self.is_on_hold();
            let Some(frame) = self.session.receive(frame, may_begin) else {
                if let Some(close) = self.session.violation() {
                    self.stop_reading(End::ByServer(close), round);
                    break;
                }
                continue;
            };
            match self.handlers.poll_ready(cx) {
                Poll::Ready(Ok(())) => {
                    begin(&mut self.session, &mut self.handlers, frame, cx)?;
                }
                Poll::Ready(Err(error)) => {
                    self.session.queue(frame);
                    self.session.fail(error);
                }
                Poll::Pending => self.session.queue(frame),
            }
        }
        if has_activity && self.session.record_activity(now()) {
            self.timer.set_earlier(&self.session);
        }
        Ok(has_read)
    }

    /// Reads nothing more. The connection ends once the messages that were read before have been answered.
    fn stop_reading(&mut self, end: End, round: &mut Round) {
        round.may_read = false;
        self.closing = Some(Box::new(end));
        self.session.stop_reading(now());
        self.timer.set_earlier(&self.session);
    }
}
