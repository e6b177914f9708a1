//! The protocol of one client, without input and output. It lasts from one connection to the next.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use bytes::Bytes;
use tokio::{sync::oneshot, time::Instant};
use zocket_layers::ClientId;

use super::{
    frame::{Frame, PING},
    heartbeat::{Heartbeat, Life},
};
use crate::{
    client::{self, CallError, ServerRefusal},
    testing::{
        record::{RESUME, Record, Sent, Welcome},
        sim::failure::Failure,
    },
};

/// Time of silence after which the client sends a ping, if the welcome names none.
const PING_AFTER: Duration = Duration::from_secs(25);
pub(super) type Answer = Result<Bytes, CallError>;

/// The protocol of one client.
#[derive(Debug, Default)]
pub(super) struct Session {
    client_id: Option<ClientId>,
    record: Option<Record>,
    /// Messages that no connection was given yet.
    waiting: VecDeque<Sent>,
    calls: BTreeMap<u64, Call>,
    last_id: u64,
    /// Pings that the next connection is given, and those that wait for a pong.
    pings: Vec<Barrier>,
    pinged: VecDeque<Barrier>,
    /// Events that the script has not read.
    pub(super) events: VecDeque<(String, Bytes)>,
    heartbeat: Heartbeat,
    is_open: bool,
    /// True if the app may lose the session, since its record is small.
    may_be_lost: bool,
    /// Welcomes that were received.
    pub(super) connections: u64,
    pub(super) resumes: u64,
    /// Calls whose session ended before their answer.
    pub(super) unanswered: u64,
}

/// A call without an answer.
#[derive(Debug)]
struct Call {
    answer: oneshot::Sender<Answer>,
    /// Time at which the present connection was given the call.
    sent: Option<Instant>,
    is_given_up: bool,
}

/// Requests a pong, which comes after everything that was sent to the client before.
#[derive(Debug, Default)]
pub(super) struct Barrier {
    pub(super) reached: Option<oneshot::Sender<()>>,
    /// Number of the events that were sent to the client when the ping was sent.
    events: usize,
}

/// A frame that the driver has to report.
pub(super) enum Received {
    Nothing,
    /// The client must have received this number of events.
    Barrier(usize),
    Event,
}

impl Session {
    pub(super) fn new(may_be_lost: bool) -> Self {
        Self {
            may_be_lost,
            ..Self::default()
        }
    }

    pub(super) const fn client_id(&self) -> Option<ClientId> {
        self.client_id
    }

    pub(super) const fn is_open(&self) -> bool {
        self.is_open
    }

    /// Returns the subprotocols that the client offers. A session that has been parked for too long is given up.
    pub(super) fn offer(&mut self, now: Instant) -> String {
        if self.record.as_ref().is_some_and(|record| record.has_expired(now)) {
            self.end_session();
        }
        let resume = self.record.as_mut().map_or(RESUME.to_owned(), Record::offer);
        format!("zocket.v1.json, {resume}")
    }

    /// Begins with the welcome of a connection. `dialled` is the time of its offer.
    pub(super) fn open(&mut self, welcome: &Welcome, dialled: Instant, now: Instant) -> Result<(), Failure> {
        match (welcome.resumed, self.record.as_mut()) {
            (true, Some(record)) => {
                if self.client_id != Some(welcome.client_id) {
                    return Err(Failure::other(format!(
                        "expected the client id of the resumed session, {:?}, got {}",
                        self.client_id, welcome.client_id
                    )));
                }
                record.resume(welcome).map_err(Failure::other)?;
                self.resumes += 1;
            }
            (true, None) => {
                let message = "a session was resumed that the client did not offer".to_owned();
                return Err(Failure::other(message));
            }
            (false, _) => {
                self.fail_to_resume(dialled)?;
                self.record = Record::begin(welcome);
            }
        }
        self.client_id = Some(welcome.client_id);
        self.is_open = true;
        for call in self.calls.values_mut().filter(|call| call.sent.is_some()) {
            call.sent = Some(now);
        }
        let ping_after = welcome.heartbeat_ms.map_or(PING_AFTER, Duration::from_millis);
        self.heartbeat.begin(ping_after, now);
        self.connections += 1;
        Ok(())
    }

    /// Ends the session, because the app does not resume it for an offer that was made at `dialled`.
    pub(super) fn fail_to_resume(&mut self, dialled: Instant) -> Result<(), Failure> {
        let must_be_resumed = |record: &Record| record.must_be_resumed(dialled);
        if !self.may_be_lost && self.record.as_ref().is_some_and(must_be_resumed) {
            let message = "a session within its time was not resumed".to_owned();
            return Err(Failure::lost(message));
        }
        self.end_session();
        Ok(())
    }

    /// Records any frame, control frames included: the server is alive.
    pub(super) fn hear(&mut self, now: Instant) {
        self.heartbeat.hear(now);
    }

    /// Handles a frame.
    pub(super) fn receive(&mut self, frame: Frame, bytes: usize, now: Instant) -> Result<Received, Failure> {
        if frame.is_counted()
            && let Some(record) = &mut self.record
        {
            record.count(bytes, now);
        }
        match frame {
            Frame::Welcome(_) => return Err(Failure::other("a second welcome came".to_owned())),
            Frame::Ack(number) => match &mut self.record {
                Some(record) => record.acknowledge(number).map_err(Failure::other)?,
                None => return Err(Failure::other("`__ack` came without a session".to_owned())),
            },
            Frame::Pong => {
                let Some(barrier) = self.pinged.pop_front() else {
                    return Err(Failure::doubled("a pong came without a ping".to_owned()));
                };
                if let Some(reached) = barrier.reached {
                    // The script may have given up.
                    let _ = reached.send(());
                }
                return Ok(Received::Barrier(barrier.events));
            }
            Frame::Answer(id, answer) => self.answer(id, answer)?,
            Frame::Error(payload) => {
                self.events.push_back(("__error".to_owned(), payload));
            }
            Frame::Event(event_type, payload) => {
                self.events.push_back((event_type, payload));
                return Ok(Received::Event);
            }
        }
        Ok(Received::Nothing)
    }

    fn answer(&mut self, id: u64, answer: Result<Bytes, ServerRefusal>) -> Result<(), Failure> {
        let Some(call) = self.calls.remove(&id) else {
            return Err(match id <= self.last_id {
                true => Failure::doubled(format!("call {id} was answered again")),
                false => Failure::other(format!("call {id} was answered, and never sent")),
            });
        };
        if call.sent.is_none() {
            return Err(Failure::other(format!(
                "call {id} was answered before it was sent"
            )));
        }
        if let Some(record) = &mut self.record {
            record.prove();
        }
        // The script may have given up.
        let _ = call.answer.send(answer.map_err(CallError::Refused));
        Ok(())
    }

    /// Queues a call. Returns its id.
    pub(super) fn call(&mut self, write: impl FnOnce(u64) -> String, answer: oneshot::Sender<Answer>) -> u64 {
        self.last_id += 1;
        let id = self.last_id;
        self.calls.insert(
            id,
            Call {
                answer,
                sent: None,
                is_given_up: false,
            },
        );
        let (text, rpc_id) = (write(id), Some(id));
        self.waiting.push_back(Sent { text, rpc_id });
        id
    }

    /// Queues a message without an answer.
    pub(super) fn send(&mut self, text: String) {
        self.waiting.push_back(Sent { text, rpc_id: None });
    }

    /// Gives up a call. A call that was not sent is never sent.
    pub(super) fn give_up(&mut self, id: u64) -> client::Sent {
        let waiting = self.waiting.len();
        self.waiting.retain(|sent| sent.rpc_id != Some(id));
        if self.waiting.len() < waiting {
            self.calls.remove(&id);
            return client::Sent::No;
        }
        if let Some(call) = self.calls.get_mut(&id) {
            call.is_given_up = true;
        }
        client::Sent::Unknown
    }

    /// Queues a ping.
    pub(super) fn ping(&mut self, reached: oneshot::Sender<()>) {
        self.pings.push(Barrier {
            reached: Some(reached),
            events: 0,
        });
    }

    /// Returns the next frame to send. `events` returns the number of events that were sent to the client so far.
    pub(super) fn next_frame(&mut self, now: Instant, events: impl Fn() -> usize) -> Option<String> {
        if !self.is_open {
            return None;
        }
        if let Some(record) = &mut self.record {
            if let Some(ack) = record.take_ack(now) {
                return Some(ack);
            }
            let is_given_up = |id| self.calls.get(&id).is_none_or(|call: &Call| call.is_given_up);
            if let Some(frame) = record.take_resend(is_given_up) {
                return Some(frame);
            }
        }
        if let Some(mut barrier) = self.pings.pop() {
            barrier.events = events();
            self.pinged.push_back(barrier);
            return Some(PING.to_owned());
        }
        if self.record.as_ref().is_some_and(|record| !record.has_room()) {
            return None;
        }
        let sent = self.waiting.pop_front()?;
        if let Some(call) = sent.rpc_id.and_then(|id| self.calls.get_mut(&id)) {
            call.sent = Some(now);
        }
        let text = sent.text.clone();
        if let Some(record) = &mut self.record {
            record.push(sent);
        }
        Some(text)
    }

    /// Returns the next time at which [`is_silent`](Self::is_silent) or [`next_frame`](Self::next_frame) may change.
    pub(super) fn deadline(&self, now: Instant) -> Instant {
        let heartbeat = self.heartbeat.deadline(now);
        let ack = self.record.as_ref().and_then(Record::ack_at);
        ack.map_or(heartbeat, |ack| ack.min(heartbeat))
    }

    /// Sends a ping to a server that is silent. Returns true if it has not answered one in time.
    pub(super) fn is_silent(&mut self, now: Instant) -> bool {
        let life = self.heartbeat.check(now);
        if life == Life::Asked {
            self.pings.push(Barrier::default());
        }
        life == Life::Silent
    }

    /// Returns the oldest call that this connection was given and that is unanswered, with its time.
    pub(super) fn oldest_call(&self) -> Option<(u64, Instant)> {
        let sent = self.calls.iter().filter(|(_, call)| !call.is_given_up);
        let sent = sent.filter_map(|(id, call)| call.sent.map(|at| (*id, at)));
        sent.min_by_key(|(_, at)| *at)
    }

    /// Records the end of a connection. After a Close of the server the session has ended, too. A fault that took effect at
    /// `disturbed_at` may have hidden from this client that the server has parked the session.
    pub(super) fn break_off(&mut self, by_server: bool, disturbed_at: Option<Instant>, now: Instant) {
        self.is_open = false;
        self.heartbeat.break_off();
        // Barriers that a script waits for are sent again. Pings of the heartbeat are not.
        let pinged = self.pinged.drain(..).filter(|barrier| barrier.reached.is_some());
        self.pings.extend(pinged);
        self.pings.retain(|barrier| barrier.reached.is_some());
        match &mut self.record {
            Some(record) if !by_server => {
                // The server has pinged before.
                let noticed = disturbed_at.map_or(now, |at| now.min(at + self.heartbeat.ping_after()));
                record.break_off(noticed, now);
            }
            _ => self.end_session(),
        }
    }

    /// Ends the session: the calls that a connection was given fail. Those that wait are kept for the next one.
    fn end_session(&mut self) {
        self.record = None;
        let sent: Vec<_> = self
            .calls
            .iter()
            .filter(|(_, call)| call.sent.is_some())
            .map(|(id, _)| *id)
            .collect();
        for call in sent.iter().filter_map(|id| self.calls.remove(id)) {
            self.unanswered += 1;
            let sent = client::Sent::Unknown;
            let _ = call.answer.send(Err(CallError::Disconnected { sent }));
        }
    }

    /// Fails everything that waits: there will be no further connection.
    pub(super) fn end(&mut self) {
        self.end_session();
        self.is_open = false;
        self.waiting.clear();
        self.pings.clear();
        self.pinged.clear();
        for (_, call) in std::mem::take(&mut self.calls) {
            let sent = client::Sent::No;
            let _ = call.answer.send(Err(CallError::Disconnected { sent }));
        }
    }

    /// Returns the number of calls.
    pub(super) const fn calls(&self) -> u64 {
        self.last_id
    }

    /// Returns true if nothing waits to be sent or answered.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.calls.values().all(|call| call.is_given_up)
    }
}
