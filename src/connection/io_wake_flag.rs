//! Waker for socket and timer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Wake, Waker},
};

use futures_util::task::AtomicWaker;

/// Waker for socket and timer. Its flag lets a wake-up by the mailbox alone, as for all members of a room, skip polling the
/// socket.
pub(super) struct IoWakeFlag {
    flag: Arc<Flag>,
    waker: Waker,
}

struct Flag {
    is_set: AtomicBool,
    driver: Arc<AtomicWaker>,
}

impl IoWakeFlag {
    /// A waker of `driver`, whose flag is set at first.
    pub(super) fn new(driver: Arc<AtomicWaker>) -> Self {
        let flag = Arc::new(Flag {
            is_set: AtomicBool::new(true),
            driver,
        });
        let waker = flag.clone().into();
        Self { flag, waker }
    }

    /// The waker that socket and timer are polled with.
    pub(super) fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Returns whether it was woken since the last call.
    pub(super) fn take(&self) -> bool {
        self.flag.is_set.load(Ordering::Acquire) && self.flag.is_set.swap(false, Ordering::AcqRel)
    }

    /// Sets the flag: the socket is polled the next time.
    pub(super) fn set(&self) {
        self.flag.is_set.store(true, Ordering::Release);
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // The flag comes first: the driver sees it when it wakes.
        self.is_set.store(true, Ordering::Release);
        self.driver.wake();
    }
}
