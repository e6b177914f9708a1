//! Deadlines of a connection: silence of the peer, and a message that waits for the pipeline.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use zocket_layers::Limits;

/// Longer than any connection lives; `Duration::MAX` can't be added to an instant.
const EVER: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

fn after(instant: Instant, duration: Duration) -> Instant {
    instant + duration.min(EVER)
}

/// Asks a silent peer for a sign of life, and gives up one that stays silent, or a message that waits for readiness too
/// long. It has no clock: its owner passes the time in.
pub(super) struct Heartbeat {
    limits: Arc<Limits>,
    /// The last sign of life.
    heard: Instant,
    /// The time of the ping that is not answered yet.
    pinged: Option<Instant>,
    /// The time since when a message waits for readiness.
    stalled: Option<Instant>,
}

/// An action that a deadline calls for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::connection) enum Beat {
    /// Send a ping.
    Ping,
    /// Give up the peer, which is gone.
    Gone,
    /// Close: a message has waited too long.
    Stalled,
}

impl Heartbeat {
    pub(super) const fn new(limits: Arc<Limits>, now: Instant) -> Self {
        Self {
            limits,
            heard: now,
            pinged: None,
            stalled: None,
        }
    }

    /// Notes a sign of life. While nothing is read the peer's silence says nothing: that counts as one.
    pub(super) const fn hear(&mut self, now: Instant) {
        self.heard = now;
        self.pinged = None;
    }

    /// Notes that a message has begun to wait for readiness, if none waits.
    pub(super) fn stall(&mut self, now: impl FnOnce() -> Instant) {
        if self.stalled.is_none() {
            self.stalled = Some(now());
        }
    }

    /// Notes that no message waits for readiness.
    pub(super) const fn go_on(&mut self) {
        self.stalled = None;
    }

    /// The next time at which [`poll`](Self::poll) may return a beat.
    pub(super) fn deadline(&self) -> Instant {
        let silence = self.silence();
        self.stall_deadline().map_or(silence, |stall| stall.min(silence))
    }

    fn silence(&self) -> Instant {
        match self.pinged {
            None => after(self.heard, self.limits.ping_after),
            Some(pinged) => after(pinged, self.limits.pong_within),
        }
    }

    fn stall_deadline(&self) -> Option<Instant> {
        self.stalled.map(|since| after(since, self.limits.stall))
    }

    /// Returns the beat whose time has come.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Beat> {
        if self.stall_deadline().is_some_and(|deadline| deadline <= now) {
            return Some(Beat::Stalled);
        }
        if self.silence() > now {
            return None;
        }
        if self.pinged.is_some() {
            return Some(Beat::Gone);
        }
        self.pinged = Some(now);
        Some(Beat::Ping)
    }
}
