//! What a driver was woken for.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Wake, Waker},
};

use futures_util::task::AtomicWaker;

/// Wakes a connection's driver, and remembers that it was by the stream or by the timer. Most often it is by the mailbox:
/// then the stream need not be looked at.
pub(super) struct Stir {
    stirred: Arc<Stirred>,
    waker: Waker,
}

struct Stirred {
    is_stirred: AtomicBool,
    driver: Arc<AtomicWaker>,
}

impl Stir {
    /// One that wakes `driver`, and at first is stirred.
    pub(super) fn new(driver: Arc<AtomicWaker>) -> Self {
        let stirred = Arc::new(Stirred {
            is_stirred: AtomicBool::new(true),
            driver,
        });
        let waker = stirred.clone().into();
        Self { stirred, waker }
    }

    /// What the stream and the timer are polled with.
    pub(super) fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Whether it was woken since the last call.
    pub(super) fn take(&self) -> bool {
        self.stirred.is_stirred.load(Ordering::Acquire)
            && self.stirred.is_stirred.swap(false, Ordering::AcqRel)
    }

    /// Has the stream looked at the next time.
    pub(super) fn keep(&self) {
        self.stirred.is_stirred.store(true, Ordering::Release);
    }
}

impl Wake for Stirred {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // First the flag: whoever is woken sees it.
        self.is_stirred.store(true, Ordering::Release);
        self.driver.wake();
    }
}
