//! Deadlines of a connection: for a silent peer, for a message that waits to begin, and for answers before a Close.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use zocket_layers::Limits;

/// Limit for durations, longer than any connection lasts. `Duration::MAX` can't be added to an instant.
const FAR_FUTURE: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// Adds a duration to an instant, or the longest one that can be added.
pub(super) fn saturating_add(instant: Instant, duration: Duration) -> Instant {
    instant + duration.min(FAR_FUTURE)
}

/// Returns true if a deadline is noticed so late that the process was stopped, or had no time for its timers. Then its peers
/// had no chance to be heard.
pub(super) fn is_late(deadline: Instant, now: Instant, limits: &Limits) -> bool {
    now.saturating_duration_since(deadline) > limits.pong_within / 4
}

/// The deadlines of a connection. A silent peer is sent a ping, and considered gone if it stays silent. A message that
/// waits too long, for readiness or for queued frames to be written, ends the connection. `Deadlines` reads no clock:
/// its owner passes the time in.
pub(super) struct Deadlines {
    limits: Arc<Limits>,
    /// The last time at which the peer showed that it is alive.
    last_activity: Instant,
    /// The time of the ping that is not answered yet. Any frame answers it. It equals `last_activity` for the second ping
    /// of a peer that was excused.
    pinged: Option<Instant>,
    /// The time at which a message began to wait. `None` if none waits.
    waiting_since: Option<Instant>,
    /// The time at which the peer's Close was read. From then on the peer's silence is expected.
    closing_since: Option<Instant>,
}

/// An action that a deadline calls for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::connection) enum DueAction {
    /// Send a ping.
    Ping,
    /// Drop the connection: the peer is gone.
    Gone,
    /// Close the connection: a message has waited too long.
    Stalled,
    /// Drop the connection: its socket accepts nothing.
    Unwritable,
    /// Answer the peer's Close: messages that were read before it have taken too long.
    AnswerClose,
    /// Acknowledge the messages that were received.
    Acknowledge,
    /// End the session: its client has not come back.
    Expired,
}

impl Deadlines {
    pub(super) const fn new(limits: Arc<Limits>, now: Instant) -> Self {
        Self {
            limits,
            last_activity: now,
            pinged: None,
            waiting_since: None,
            closing_since: None,
        }
    }

    pub(super) const fn limits(&self) -> &Arc<Limits> {
        &self.limits
    }

    /// Begins again, with a new peer.
    pub(super) fn restart(&mut self, now: Instant) {
        *self = Self::new(self.limits.clone(), now);
    }

    /// Records that the peer is alive. Called for everything that is received, and while nothing is read, because
    /// silence then does not show that the peer is gone.
    pub(super) const fn record_activity(&mut self, now: Instant) {
        self.last_activity = now;
        self.pinged = None;
    }

    /// Records that a message waits to begin, until the pipeline is ready or queued frames are written. `Limits::stall`
    /// bounds the wait. The time counts from the first call since [`end_wait`](Self::end_wait).
    pub(super) fn begin_wait(&mut self, now: impl FnOnce() -> Instant) {
        if self.waiting_since.is_none() {
            self.waiting_since = Some(now());
        }
    }

    /// Records that no message waits to begin.
    pub(super) const fn end_wait(&mut self) {
        self.waiting_since = None;
    }

    /// Records that the peer's Close was read, and that `Limits::close_within` bounds the time until its answer.
    pub(super) const fn begin_closing(&mut self, now: Instant) {
        self.closing_since = Some(now);
    }

    /// Returns the next time at which [`take_due`](Self::take_due) may return an action.
    pub(super) fn deadline(&self) -> Instant {
        let other = self.closing_deadline().unwrap_or_else(|| self.silence_deadline());
        self.stall_deadline().map_or(other, |stall| stall.min(other))
    }

    fn closing_deadline(&self) -> Option<Instant> {
        self.closing_since
            .map(|since| saturating_add(since, self.limits.close_within))
    }

    fn silence_deadline(&self) -> Instant {
        match self.pinged {
            None => saturating_add(self.last_activity, self.limits.ping_after),
            Some(pinged) => saturating_add(pinged, self.limits.pong_within),
        }
    }

    fn stall_deadline(&self) -> Option<Instant> {
        self.waiting_since
            .map(|since| saturating_add(since, self.limits.stall))
    }

    /// Returns the action that is due at `now`. A ping is returned once, and then starts the wait for its answer. A peer is
    /// excused once, and sent another ping, if the end of that wait is noticed late.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<DueAction> {
        if self.stall_deadline().is_some_and(|deadline| deadline <= now) {
            return Some(DueAction::Stalled);
        }
        if let Some(deadline) = self.closing_deadline() {
            return (deadline <= now).then_some(DueAction::AnswerClose);
        }
        let deadline = self.silence_deadline();
        if deadline > now {
            return None;
        }
        if self.pinged.is_some() {
            let was_excused = self.pinged == Some(self.last_activity);
            if was_excused || !is_late(deadline, now, &self.limits) {
                return Some(DueAction::Gone);
            }
            self.last_activity = now;
        }
        self.pinged = Some(now);
        Some(DueAction::Ping)
    }
}
