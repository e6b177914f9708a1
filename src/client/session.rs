//! An open connection: sends calls, receives answers and events.

use std::{
    collections::HashMap,
    task::{Context as Task, Poll},
};

use bytes::Bytes;
use tokio_tungstenite::tungstenite::Message;

use super::{
    CallError, Outage, Sent, Welcome,
    call::{Queues, Reply, Request},
    config::Config,
    dial::{Received, Stream},
    heartbeat::{Heartbeat, HeartbeatAction},
    inbox::Listeners,
    socket::Socket,
    wire::{self, Incoming},
};

/// An open connection.
pub(super) struct Session {
    socket: Socket,
    heartbeat: Heartbeat,
    /// Size limit of one sent message, in bytes, as announced in the server's welcome.
    limit: usize,
    /// Limit of `unanswered`, as announced in the server's welcome. The unanswered calls have fewer bytes than `limit`,
    /// too, when a further one is sent.
    max_unanswered: Option<usize>,
    /// Calls that the server has not answered. Under `max_unanswered`, those that their callers have given up are among
    /// them, since they count for the server.
    unanswered: HashMap<u64, Unanswered>,
    /// Size of the frames of `unanswered`, in bytes.
    unanswered_bytes: usize,
    /// Size of `unanswered` from which calls whose callers no longer wait are removed from it, without a limit.
    cleanup_threshold: usize,
}

/// A call that was sent.
struct Unanswered {
    reply: Reply,
    /// Size of its frame.
    bytes: usize,
}

/// Lower limit of `cleanup_threshold`.
const MIN_CLEANUP_THRESHOLD: usize = 64;

impl Session {
    pub(super) fn new(stream: Stream, welcome: &Welcome, config: &Config) -> Self {
        Self {
            socket: Socket::new(stream),
            heartbeat: Heartbeat::new(
                config.ping_after.unwrap_or(welcome.heartbeat()),
                config.pong_within,
            ),
            limit: welcome.max_message(),
            max_unanswered: welcome.max_calls(),
            unanswered: HashMap::new(),
            unanswered_bytes: 0,
            cleanup_threshold: MIN_CLEANUP_THRESHOLD,
        }
    }

    /// Sends queued requests, answers calls, and passes received events to the listeners. Requests that do not come from
    /// `on_open` wait until `opened`, and calls until the server accepts them. Ready when the connection has ended. May be dropped and polled again at any time.
    pub(super) fn poll(
        &mut self,
        cx: &mut Task<'_>,
        queues: &mut Queues,
        opened: bool,
        listeners: &Listeners,
    ) -> Poll<Outage> {
        loop {
            let mut took = false;
            while self.socket.has_room(cx) {
                let Poll::Ready(request) = queues.poll(cx, opened, self.may_call()) else {
                    break;
                };
                took = true;
                self.begin(request);
            }
            match self.heartbeat.poll(cx) {
                Poll::Ready(HeartbeatAction::GiveUp) => return Poll::Ready(Outage::Silent),
                Poll::Ready(HeartbeatAction::Ping) => {
                    self.socket.ping(cx);
                    continue;
                }
                Poll::Pending => {}
            }
            let flushed = self.socket.flush(cx);
            match self.socket.poll_read(cx) {
                Poll::Ready(Ok(received)) => {
                    self.heartbeat.record_frame();
                    if let Received::Data(frame) = received {
                        self.receive(&frame, listeners);
                    }
                }
                Poll::Ready(Err(outage)) => return Poll::Ready(outage),
                // The flush has made room for further requests.
                Poll::Pending if took && flushed => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn may_call(&self) -> bool {
        self.max_unanswered
            .is_none_or(|max| self.unanswered.len() < max && self.unanswered_bytes < self.limit)
    }

    fn begin(&mut self, request: Request) {
        let Request {
            frame,
            id,
            reply,
            claim,
        } = request;
        if reply.is_closed() || !claim.take() {
            return;
        }
        if frame.len() > self.limit {
            let (bytes, limit) = (frame.len(), self.limit);
            return answer(reply, Err(CallError::TooLarge { bytes, limit }));
        }
        let bytes = frame.len();
        self.socket.send(Message::text(frame));
        match id {
            Some(id) => {
                if self.max_unanswered.is_none() && self.unanswered.len() >= self.cleanup_threshold {
                    let bytes = &mut self.unanswered_bytes;
                    self.unanswered.retain(|_, call| {
                        let is_awaited = !call.reply.is_closed();
                        *bytes -= if is_awaited { 0 } else { call.bytes };
                        is_awaited
                    });
                    self.cleanup_threshold = MIN_CLEANUP_THRESHOLD.max(self.unanswered.len() * 2);
                }
                self.unanswered_bytes += bytes;
                self.unanswered.insert(id, Unanswered { reply, bytes });
            }
            None => answer(reply, Ok(Bytes::new())),
        }
    }

    fn receive(&mut self, frame: &Bytes, listeners: &Listeners) {
        match wire::read(frame) {
            Ok(Some(Incoming::Answer(id, result))) => {
                if let Some(call) = self.unanswered.remove(&id) {
                    self.unanswered_bytes -= call.bytes;
                    answer(call.reply, result.map_err(CallError::Refused));
                }
            }
            Ok(Some(Incoming::Event(event_type, payload))) => listeners.dispatch(&event_type, &payload),
            Ok(Some(Incoming::Welcome(_)) | None) => {}
            Err(error) => tracing::warn!(%error, "a frame was ignored: it is not of the protocol"),
        }
    }

    /// Fails all calls, because the connection is gone. `closed` is true if the client's owner closed it for good.
    pub(super) fn reject(&mut self, queues: &mut Queues, closed: bool) {
        let error = |sent| match closed {
            true => CallError::Closed,
            false => CallError::Disconnected { sent },
        };
        for (_, call) in self.unanswered.drain() {
            answer(call.reply, Err(error(Sent::Unknown)));
        }
        for queue in [&mut queues.first, &mut queues.others] {
            for request in queue.drain() {
                answer(request.reply, Err(error(Sent::No)));
            }
        }
    }

    pub(super) fn into_socket(self) -> Socket {
        self.socket
    }
}

/// Answers a call. Has no effect if the caller no longer waits.
pub(super) fn answer(reply: Reply, result: Result<Bytes, CallError>) {
    drop(reply.send(result));
}
