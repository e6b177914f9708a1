use std::sync::atomic::{AtomicU8, Ordering};

/// Summary of a message's effects that is read without their lock. It only advances, in the order of the variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Summary {
    /// Holding; nothing has been recorded.
    Fresh,
    /// Passing; nothing has failed, nothing is pending, and there is no observer.
    Passing,
    /// Unknown: read the effects under their lock.
    Locked,
}

/// A [`Summary`] that is read without a lock. It spares most messages the lock of their effects, which they would
/// otherwise acquire eight times.
pub(super) struct AtomicSummary(AtomicU8);

impl AtomicSummary {
    pub(super) const fn new(summary: Summary) -> Self {
        Self(AtomicU8::new(summary as u8))
    }

    pub(super) fn get(&self) -> Summary {
        Self::from(self.0.load(Ordering::Acquire))
    }

    const fn from(byte: u8) -> Summary {
        match byte {
            0 => Summary::Fresh,
            1 => Summary::Passing,
            _ => Summary::Locked,
        }
    }

    /// Sets [`Summary::Locked`] and returns the previous summary. The caller holds the lock of the effects.
    pub(super) fn set_locked(&self) -> Summary {
        Self::from(self.0.swap(Summary::Locked as u8, Ordering::AcqRel))
    }

    /// Advances from fresh to passing. Returns false if the summary was not fresh.
    pub(super) fn try_set_passing(&self) -> bool {
        let (fresh, passing) = (Summary::Fresh as u8, Summary::Passing as u8);
        self.0
            .compare_exchange(fresh, passing, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_passes_once_and_never_after_a_lock() {
        let summary = AtomicSummary::new(Summary::Fresh);
        assert_eq!(summary.get(), Summary::Fresh);
        assert!(summary.try_set_passing());
        assert!(!summary.try_set_passing());
        assert_eq!(summary.set_locked(), Summary::Passing);
        assert_eq!(summary.set_locked(), Summary::Locked);
        assert!(!summary.try_set_passing());
        assert_eq!(summary.get(), Summary::Locked);
    }
}
