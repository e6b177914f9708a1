use std::sync::atomic::{AtomicU64, Ordering};

/// Numbers of frames that a client may resume from: it has all frames up to one of them, and the record has the others.
/// The session writes it, and handshakes read it before they answer.
#[derive(Debug, Default)]
pub(crate) struct ReplayRange {
    /// The earliest number. `u64::MAX` if the client can't be sent all that it lacks.
    floor: AtomicU64,
    /// Number of the last frame that was queued.
    sent: AtomicU64,
}

impl ReplayRange {
    /// Returns the number of the last frame that was queued.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Acquire)
    }

    /// Returns true if a client with the frames up to number `n` can be sent all that it lacks.
    pub(crate) fn contains(&self, n: u64) -> bool {
        self.floor.load(Ordering::Acquire) <= n && n <= self.sent()
    }

    /// Counts frames that are queued. Only the session calls it, so there is one writer.
    pub(crate) fn add_sent(&self, frames: u64) {
        self.sent
            .store(self.sent.load(Ordering::Relaxed) + frames, Ordering::Release);
    }

    /// Sets the earliest number.
    pub(crate) fn set_floor(&self, floor: u64) {
        self.floor.store(floor, Ordering::Release);
    }

    /// Records that no number is left to resume from.
    pub(crate) fn close(&self) {
        self.set_floor(u64::MAX);
    }
}
