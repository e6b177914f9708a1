//! Order among the messages of one connection.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::task::AtomicWaker;

/// A message's turn: while it is held, the next message of its connection waits (or, under `concurrency(n)`,
/// the n-th next). It ends with the message; a `.concurrent()` route gives it up early.
///
/// A message outside of a connection has a turn that nobody waits for.
#[derive(Clone, Default)]
pub struct Turn(Option<Arc<Held>>);

struct Held {
    given_up: AtomicBool,
    /// The connection's driver.
    driver: Arc<AtomicWaker>,
}

impl Turn {
    /// A turn that `driver` waits for the end of.
    #[must_use]
    pub fn new(driver: Arc<AtomicWaker>) -> Self {
        Self(Some(Arc::new(Held {
            given_up: AtomicBool::new(false),
            driver,
        })))
    }

    /// Makes it the turn of another message, if nobody has a clone of it any more. Returns whether it is.
    #[must_use]
    pub fn renew(&mut self) -> bool {
        let Some(held) = self.0.as_mut().and_then(Arc::get_mut) else {
            return false;
        };
        *held.given_up.get_mut() = false;
        true
    }

    /// Lets the next message begin.
    pub fn give_up(&self) {
        if let Some(held) = &self.0
            && !held.given_up.swap(true, Ordering::AcqRel)
        {
            held.driver.wake();
        }
    }

    /// Whether the next message still waits for this one.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|held| !held.given_up.load(Ordering::Acquire))
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Turn(held: {})", self.is_held())
    }
}
