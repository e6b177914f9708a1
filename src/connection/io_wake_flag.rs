//! Waker for socket and timer.

use std::{
    sync::{Arc, atomic::Ordering},
    task::{Wake, Waker},
};

use super::sync::{AtomicBool, AtomicWaker};

/// Waker for socket and timer. Its flag lets a wake-up by the mailbox alone, as for all members of a room, skip polling
/// the socket.
pub(super) struct IoWakeFlag {
    flag: Arc<Flag>,
    waker: Waker,
}

struct Flag {
    is_set: AtomicBool,
    driver: Arc<AtomicWaker>,
}

impl IoWakeFlag {
    /// Creates a waker that wakes `driver`. Its flag is set at first.
    pub(super) fn new(driver: Arc<AtomicWaker>) -> Self {
        let flag = Arc::new(Flag {
            is_set: AtomicBool::new(true),
            driver,
        });
        let waker = flag.clone().into();
        Self { flag, waker }
    }

    /// Returns the waker that the socket and the timer are polled with.
    pub(super) fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Clears the flag. Returns true if it was set since the last call.
    pub(super) fn take(&self) -> bool {
        self.flag.is_set.load(Ordering::Acquire) && self.flag.is_set.swap(false, Ordering::AcqRel)
    }

    /// Sets the flag, so that the next poll of the driver polls the socket.
    pub(super) fn set(&self) {
        self.flag.is_set.store(true, Ordering::Release);
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Set before the wake-up, so that the driver sees the flag when it is polled.
        self.is_set.store(true, Ordering::Release);
        self.driver.wake();
    }
}
