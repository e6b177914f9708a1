//! Time of a session, which its owner passes in.

use std::time::Instant;

use super::{DueAction, Session};

impl Session {
    /// Records that nothing more is read: the peer has sent its Close, or violated the protocol. Until it is answered,
    /// `Limits::close_within` bounds the time. Resolves `closed` of the client's contexts, which handlers wait for.
    pub(in crate::connection) fn stop_reading(&mut self, now: Instant) {
        self.deadlines.begin_closing(now);
        self.end_resumption();
        self.connection.close();
    }

    /// Records that the peer is alive. Returns true if the [`deadline`](Self::deadline) may have become earlier, because
    /// what was received has to be acknowledged.
    pub(in crate::connection) fn record_activity(&mut self, now: Instant) -> bool {
        self.deadlines.record_activity(now);
        self.start_ack(now)
    }

    /// Records that a message waits to begin, until the pipeline is ready or queued frames are written. `now` is called
    /// only if none waited.
    pub(in crate::connection) fn begin_wait(&mut self, now: impl FnOnce() -> Instant) {
        self.deadlines.begin_wait(now);
    }

    /// Records that no message waits to begin.
    pub(in crate::connection) const fn end_wait(&mut self) {
        self.deadlines.end_wait();
    }

    /// Returns the next time at which [`take_due`](Self::take_due) may return an action.
    pub(in crate::connection) fn deadline(&self) -> Instant {
        if let Some(end) = self.window_end() {
            return end;
        }
        let others = [self.ack_deadline(), self.write_deadline()];
        let others = others.into_iter().flatten().min();
        let deadline = self.deadlines.deadline();
        others.map_or(deadline, |other| other.min(deadline))
    }

    /// Returns the action that is due at `now`.
    pub(in crate::connection) fn take_due(&mut self, now: Instant) -> Option<DueAction> {
        if self.is_parked() {
            return self.has_expired(now).then_some(DueAction::Expired);
        }
        if self.ack_deadline().is_some_and(|ack| ack <= now) {
            return Some(DueAction::Acknowledge);
        }
        if self.write_deadline().is_some_and(|write| write <= now) {
            return Some(DueAction::Unwritable);
        }
        self.deadlines.take_due(now)
    }

    /// Returns the time at which a socket that accepts nothing is given up.
    fn write_deadline(&self) -> Option<Instant> {
        self.slow_reader.deadline(self.limits().write_within)
    }
}
