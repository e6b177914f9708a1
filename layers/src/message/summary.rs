use std::sync::atomic::{AtomicU8, Ordering};

/// Summary of a message's effects that is known without their lock. It only advances, from the first to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Summary {
    /// Holding, and nothing has been noted.
    Fresh,
    /// Passing; nothing has failed, nothing is pending, nobody observes.
    Passing,
    /// Only the locked state knows.
    Locked,
}

/// A [`Summary`] that is read without a lock. Most messages end without that of their effects, which each would otherwise
/// take eight times.
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

    /// Sends the reader to the locked state from now on. Called under the lock. Returns the summary until now.
    pub(super) fn set_locked(&self) -> Summary {
        Self::from(self.0.swap(Summary::Locked as u8, Ordering::AcqRel))
    }

    /// Advances from fresh to passing. Returns false if it was not fresh.
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
    fn a_fresh_summary_passes_once_and_a_locked_one_never() {
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
