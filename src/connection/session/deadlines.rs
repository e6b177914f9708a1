//! Deadlines of a connection: silence of the peer, and a message that waits for the pipeline.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use zocket_layers::Limits;

/// Longer than any connection lives; `Duration::MAX` can't be added to an instant.
const FAR_FUTURE: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

fn saturating_add(instant: Instant, duration: Duration) -> Instant {
    instant + duration.min(FAR_FUTURE)
}

/// Asks a silent peer for a sign of life, and gives up one that stays silent, or a message that waits for readiness too
/// long. It has no clock: its owner passes the time in.
pub(super) struct Deadlines {
    limits: Arc<Limits>,
    /// The last sign of life.
    last_activity: Instant,
    /// The time of the ping that is not answered yet.
    pinged: Option<Instant>,
    /// The time since when a message waits for readiness.
    waiting_since: Option<Instant>,
}

/// An action that a deadline calls for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::connection) enum DueAction {
    /// Send a ping.
    Ping,
    /// Give up the peer, which is gone.
    Gone,
    /// Close: a message has waited too long.
    Stalled,
}

impl Deadlines {
    pub(super) const fn new(limits: Arc<Limits>, now: Instant) -> Self {
        Self {
            limits,
            last_activity: now,
            pinged: None,
            waiting_since: None,
        }
    }

    /// Records that the peer is alive. While nothing is read the peer's silence says nothing: that counts as one.
    pub(super) const fn record_activity(&mut self, now: Instant) {
        self.last_activity = now;
        self.pinged = None;
    }

    /// Notes that a message has begun to wait for readiness, if none waits.
    pub(super) fn begin_wait(&mut self, now: impl FnOnce() -> Instant) {
        if self.waiting_since.is_none() {
            self.waiting_since = Some(now());
        }
    }

    /// Notes that no message waits for readiness.
    pub(super) const fn end_wait(&mut self) {
        self.waiting_since = None;
    }

    /// The next time at which [`take_due`](Self::take_due) may return an action.
    pub(super) fn deadline(&self) -> Instant {
        let silence = self.silence_deadline();
        self.stall_deadline().map_or(silence, |stall| stall.min(silence))
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

    /// Returns the action that is due.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<DueAction> {
        if self.stall_deadline().is_some_and(|deadline| deadline <= now) {
            return Some(DueAction::Stalled);
        }
        if self.silence_deadline() > now {
            return None;
        }
        if self.pinged.is_some() {
            return Some(DueAction::Gone);
        }
        self.pinged = Some(now);
        Some(DueAction::Ping)
    }
}
