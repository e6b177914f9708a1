//! What connections lend each other.

use std::cell::RefCell;

/// So many are kept by a thread, for all its connections.
const KEPT: usize = 4;

/// What a thread's connections need while they have something to do, and give back when they rest.
pub(super) struct Pool<T>(RefCell<Vec<T>>);

impl<T> Pool<T> {
    pub(super) const fn new() -> Self {
        Self(RefCell::new(Vec::new()))
    }

    pub(super) fn take(&self) -> Option<T> {
        self.0.borrow_mut().pop()
    }

    pub(super) fn give_back(&self, thing: T) {
        let mut kept = self.0.borrow_mut();
        if kept.len() < KEPT {
            kept.push(thing);
        }
    }
}
