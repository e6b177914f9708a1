use std::sync::atomic::{AtomicUsize, Ordering};

/// Number of clients, now and at its peak. It decides when the memory of a burst is returned.
#[derive(Debug, Default)]
pub(super) struct Population {
    count: AtomicUsize,
    peak: AtomicUsize,
}

impl Population {
    pub(super) fn grow(&self) {
        let now = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        self.peak.fetch_max(now, Ordering::Relaxed);
    }

    /// Counts one client less. Returns true if less than a quarter of the peak is left, which then is the new peak.
    pub(super) fn shrink(&self) -> bool {
        let now = self.count.fetch_sub(1, Ordering::Relaxed) - 1;
        let has_fallen = now < self.peak.load(Ordering::Relaxed) / 4;
        if has_fallen {
            self.peak.store(now, Ordering::Relaxed);
        }
        has_fallen
    }
}
