//! The session: the protocol of one connection, without input and output.
//!
//! The [`Session`] decides when a message begins, what is written to the peer, and when the connection ends. It is
//! given frames and the time, and returns frames and decisions. It knows no socket, no runtime and no clock, so that
//! its tests need none either. The connection's task owns it, and moves bytes between it and a socket.

mod absorb;
mod deadlines;
mod drain;
mod end;
mod flow;
mod gauge;
mod inbound;
mod options;
pub(super) mod outbound;
mod resume;
mod slow_reader;
#[cfg(test)]
mod tests;
mod time;
mod welcome;

use std::{mem, sync::Arc, time::Instant};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use tower::BoxError;
use zocket_layers::{
    ClientId, Connection, DataFrame, Error, Frame, FrameResponse, Limits, Mailbox, internal, rescue::explain,
};

use self::{
    deadlines::Deadlines,
    gauge::{GaugePart, InFlight, Queued},
    inbound::Inbound,
    outbound::Outbound,
    resume::Resume,
    slow_reader::SlowReader,
};
pub(super) use self::{deadlines::DueAction, end::End, inbound::InFlightMessage, options::SessionOptions};
use crate::core::{Ending, contain::drop_contained, meter};

/// The protocol of one connection. It holds the messages that were read and have not begun, the messages in flight, and
/// the frames to be written.
pub(super) struct Session {
    connection: Connection,
    mailbox: Arc<Mailbox>,
    options: SessionOptions,
    inbound: Inbound,
    /// True if the pipeline failed for good. Then no message begins any more.
    pipeline_has_failed: bool,
    /// Progress of the app's shutdown.
    ending: Arc<Ending>,
    /// Number of pings of the extended protocol that are not answered yet.
    pings: u32,
    deadlines: Deadlines,
    outbound: Outbound,
    slow_reader: SlowReader,
    /// `None` for a client that did not offer to resume.
    resume: Option<Box<Resume>>,
    queued_gauge: GaugePart<Queued>,
    in_flight_gauge: GaugePart<InFlight>,
}

impl Session {
    pub(super) fn new(
        connection: Connection,
        mailbox: Arc<Mailbox>,
        options: SessionOptions,
        limits: Arc<Limits>,
        now: Instant,
    ) -> Self {
        internal::turns(&connection).set_driver(internal::reader(&mailbox).clone());
        Self {
            connection,
            mailbox,
            options,
            inbound: Inbound::new(),
            pipeline_has_failed: false,
            ending: Arc::default(),
            pings: 0,
            deadlines: Deadlines::new(limits, now),
            outbound: Outbound::default(),
            slow_reader: SlowReader::default(),
            resume: None,
            queued_gauge: GaugePart::new(),
            in_flight_gauge: GaugePart::new(),
        }
    }

    pub(super) fn client_id(&self) -> ClientId {
        self.connection.client_id()
    }

    fn limits(&self) -> &Limits {
        self.connection.limits()
    }

    /// Returns the limits, for work that outlives the session.
    pub(super) fn shared_limits(&self) -> Arc<Limits> {
        self.deadlines.limits().clone()
    }

    /// Returns the mailbox. It wakes [`waker`](Self::waker).
    pub(super) fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    /// Returns the waker of the driver. It is woken for events, and for turns that are given up.
    pub(super) fn waker(&self) -> &Arc<AtomicWaker> {
        internal::reader(&self.mailbox)
    }

    /// Returns the queue of frames to be written.
    pub(super) const fn outbound(&mut self) -> &mut Outbound {
        &mut self.outbound
    }

    // Frames in.

    /// Makes a frame of a text message that was read. With a codec, its head is read here.
    pub(super) fn text_frame(&self, text: impl AsRef<str> + Into<Bytes>) -> Frame {
        match self.options.codec {
            Some(_) => Frame::read_text(self.connection.clone(), text),
            None => Frame::new(self.connection.clone(), text),
        }
    }

    /// Makes a frame of a binary message that was read. With a codec, its head is read here.
    pub(super) fn binary_frame(&self, bytes: impl Into<Bytes>) -> Frame {
        match self.options.codec {
            Some(_) => Frame::read_binary(self.connection.clone(), bytes),
            None => Frame::unread(self.connection.clone(), DataFrame::binary(bytes)),
        }
    }

    /// Returns true if one more message may be read. False for good once the pipeline has failed.
    pub(super) fn has_room(&self) -> bool {
        !self.pipeline_has_failed && (self.options.has_flow || self.inbound.has_room(self.limits()))
    }

    /// Receives a frame. Returns it if it may begin at once: `may_begin` is true, no message is queued, and a turn is
    /// free. Otherwise the message is queued. A protocol frame is not queued: it is answered together with the next
    /// events. A message whose id is queued or in flight does not run.
    pub(super) fn receive(&mut self, frame: Frame, may_begin: bool) -> Option<Frame> {
        let is_extended = self.connection.form().is_extended();
        if is_extended && self.receive_protocol(&frame) {
            return None;
        }
        if let Some(rpc_id) = frame.rpc_id().filter(|rpc_id| self.inbound.has_id(rpc_id)) {
            let client = self.client_id();
            tracing::warn!(%client, %rpc_id, "message not run: its id was already queued or in flight");
            let error = Error::conflict(format!(
                "expected an unused rpcId, got {rpc_id}, which is still in flight: the message was not run"
            ));
            meter::refused(&error);
            if is_extended {
                let route = frame.head().map(|head| &**head.route());
                self.outbound
                    .push(self.connection.form().codec.error(&error, route));
            }
            return None;
        }
        if self.refuses(&frame) {
            return None;
        }
        if may_begin && self.inbound.is_queue_empty() && self.has_free_turn() {
            return Some(frame);
        }
        if !(self.options.has_flow && self.refuses_beyond_flow(&frame)) {
            self.queue(frame);
        }
        None
    }

    /// Queues a message that does not begin yet.
    pub(super) fn queue(&mut self, frame: Frame) {
        self.inbound.queue(frame, self.connection.limits());
    }

    // Messages in the pipeline.

    /// Returns true if a message is queued, and turns and limits let it begin.
    pub(super) fn may_begin(&mut self) -> bool {
        !self.inbound.is_queue_empty() && self.has_free_turn()
    }

    fn has_free_turn(&mut self) -> bool {
        self.free_given_up();
        self.inbound
            .has_free_turn(self.options.concurrency, self.limits())
    }

    fn free_given_up(&mut self) {
        let given_up = internal::turns(&self.connection).take_given_up();
        if !given_up.is_empty() {
            self.inbound.give_up(&given_up);
        }
    }

    /// Takes the next message from the queue of those that were read and have not begun.
    pub(super) fn take_queued(&mut self) -> Option<Frame> {
        self.inbound.take()
    }

    /// Begins a message: assigns it the next turn.
    pub(super) fn begin(&mut self, frame: &mut Frame) -> InFlightMessage {
        self.inbound.begin(frame)
    }

    /// Records that a message was pending after its first poll.
    pub(super) fn stays_in_flight(&mut self, message: InFlightMessage) {
        self.inbound.stays_in_flight(message);
    }

    /// Completes a message that stayed in flight, like [`end`](Self::end).
    pub(super) fn end_in_flight(
        &mut self,
        message: &InFlightMessage,
        response: Result<FrameResponse, BoxError>,
    ) -> Option<End> {
        self.inbound.end_in_flight(message);
        self.end(message, response)
    }

    /// Completes a message. If it has a response, queues the events that were sent before, and then the response. An
    /// error refuses this message only.
    pub(super) fn end(
        &mut self,
        message: &InFlightMessage,
        response: Result<FrameResponse, BoxError>,
    ) -> Option<End> {
        self.inbound.forget_id(message);
        let frame = match response {
            Ok(response) => response.into_frame(),
            Err(error) => self.refusal(error, message),
        };
        let mut end = None;
        if let Some(frame) = frame {
            end = self.send_all();
            self.send_response(frame);
        }
        end
    }

    /// Queues a response. Without a codec, a response that is too large is logged and dropped.
    fn send_response(&mut self, frame: DataFrame) {
        // The layer of a codec checks the limit itself, and refuses the message.
        let (bytes, limit) = (frame.bytes().len(), self.limits().message);
        if self.options.codec.is_none() && bytes > limit {
            tracing::error!(client = %self.client_id(), bytes, limit, "response not sent: it exceeded Limits::message");
            return;
        }
        self.outbound.push(frame);
    }

    /// Returns the frame that notifies the client that its message failed. `None` if the protocol has no such frame:
    /// without a codec, and for a message without an id in the base protocol.
    fn refusal(&self, error: BoxError, message: &InFlightMessage) -> Option<DataFrame> {
        let error = explain(error);
        meter::refused(&error);
        tracing::info!(client = %self.client_id(), %error, "message refused: its service failed");
        let form = self.connection.form();
        let frame = self.options.codec.and_then(|codec| match message.rpc_id() {
            Some(rpc_id) => Some(form.refusal(&error, rpc_id)),
            None => form.is_extended().then(|| codec.error(&error, message.route())),
        });
        drop_contained(error);
        frame
    }

    /// Records that the pipeline failed for good, as an error of tower's `poll_ready` means. Refuses the queued
    /// messages. No other message begins.
    pub(super) fn fail(&mut self, error: BoxError) {
        let error = explain(error);
        tracing::error!(client = %self.client_id(), %error, "the pipeline failed for good");
        self.pipeline_has_failed = true;
        for frame in self.inbound.take_queue() {
            let route = frame.head().map_or("", |head| head.route());
            let refusal = internal::refusal_of(route, &self.connection, &error);
            self.refuse(&refusal, &frame);
        }
        drop_contained(error);
    }

    /// Returns true if the pipeline has failed and no message is in flight any more, so that the connection can close.
    pub(super) fn is_finished(&self) -> bool {
        self.pipeline_has_failed && self.inbound.in_flight() == 0
    }

    /// Returns true if every message before a Close has completed: none is queued, and none holds a turn. A message of
    /// a concurrent route gave up its turn, so the Close overtakes it, as any message does.
    pub(super) fn may_close(&mut self) -> bool {
        self.free_given_up();
        self.inbound.holds_no_turn()
    }

    /// Returns true if no message is queued.
    pub(super) fn is_queue_empty(&self) -> bool {
        self.inbound.is_queue_empty()
    }

    /// Drops the messages that have not begun. Returns their number.
    pub(super) fn drop_queue(&mut self) -> usize {
        self.inbound.take_queue().len()
    }

    // Frames out.

    /// Queues the events if the mailbox has notified of any, or a ping has to be answered. For a peer that is behind,
    /// queues some of them, unless a pong follows.
    pub(super) fn send_notified(&mut self) -> Option<End> {
        if let Some(end) = self.drain() {
            return Some(end);
        }
        if self.mailbox.is_notified() || self.pings > 0 || self.may_release() {
            return match self.pings == 0 && self.is_behind() {
                true => self.send_some(),
                false => self.send_events(),
            };
        }
        None
    }

    /// Queues all events in the mailbox. A pong comes after every event that had been sent to this client when its ping
    /// was read, even if the mailbox has not notified of it. So a pong is a barrier.
    fn send_events(&mut self) -> Option<End> {
        let end = match self.is_behind() {
            true => self.absorb(usize::MAX),
            false => {
                let Self {
                    mailbox, outbound, ..
                } = self;
                End::of(mailbox.pull_batches(&mut |batch| outbound.push_batch(batch)))
            }
        };
        for _ in 0..mem::take(&mut self.pings) {
            self.outbound.push_uncounted(self.connection.form().codec.pong());
        }
        end
    }

    /// Returns true if there may be something to begin or to send.
    pub(super) fn has_more(&self) -> bool {
        !self.inbound.is_empty() || self.mailbox.is_notified() || self.pings > 0
    }

    // Idle and end.

    /// Reports to the gauges, and frees the memory that an idle session does not need. `control_bytes` are the bytes of
    /// pongs that wait in the socket, outside of the session's queue. The gauge of outbound bytes includes them, and the
    /// events that wait in the mailbox.
    pub(super) fn settle_idle(&mut self, control_bytes: usize) {
        self.report();
        self.report_record();
        self.outbound.report(control_bytes + self.slow_reader.waiting);
        self.outbound.shrink();
        self.inbound.shrink();
    }

    /// Reports the lengths of the queues to the gauges.
    pub(super) fn report(&mut self) {
        self.queued_gauge.report(self.inbound.queued());
        self.in_flight_gauge.report(self.inbound.in_flight());
    }

    /// Stops sending: marks the connection as closed for its contexts, and mutes the mailbox. Before a Close of the
    /// server, the client is told the messages that were read.
    pub(super) fn stop_sending(&mut self, end: &End) {
        self.end_resumption();
        if end.close().is_some() {
            self.acknowledge();
        }
        self.connection.close();
        self.mailbox.mute();
    }
}
