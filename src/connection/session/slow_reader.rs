use std::time::{Duration, Instant};

use super::deadlines::saturating_add;

/// State of a peer that may read slowly.
#[derive(Debug, Default)]
pub(super) struct SlowReader {
    /// The time since which the socket has accepted nothing. `None` if it accepted everything at the last write.
    refused_since: Option<Instant>,
    /// Bytes of memory of the events that wait in the mailbox.
    pub(super) waiting: usize,
}

impl SlowReader {
    /// Records that the socket has refused bytes. Returns true if [`deadline`](Self::deadline) has changed.
    pub(super) fn record_refusal(&mut self, has_progressed: bool, now: impl FnOnce() -> Instant) -> bool {
        let is_first = self.refused_since.is_none();
        if is_first || has_progressed {
            self.refused_since = Some(now());
        }
        is_first || has_progressed
    }

    /// Records that the socket has accepted everything.
    pub(super) const fn end_refusal(&mut self) {
        self.refused_since = None;
    }

    /// Returns true if the socket refused bytes at the last write.
    pub(super) const fn is_refused(&self) -> bool {
        self.refused_since.is_some()
    }

    /// Returns the time at which a socket that still accepts nothing is dropped.
    pub(super) fn deadline(&self, write_within: Duration) -> Option<Instant> {
        self.refused_since
            .map(|since| saturating_add(since, write_within))
    }
}
