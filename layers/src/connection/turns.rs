use std::{
    fmt, mem,
    num::NonZeroU64,
    sync::{Arc, atomic::Ordering},
};

use crate::sync::{AtomicBool, AtomicWaker, Mutex, OnceLock};

/// Number of a message's turn on its connection. While a message holds its turn, the next message waits (under
/// `concurrency(n)`, the n-th next). The turn ends with the message. A `.concurrent()` route gives it up early.
pub type Turn = NonZeroU64;

/// Turns that messages of a connection have given up before their end.
#[derive(Default)]
pub struct Turns {
    /// True if `given_up` is not empty. Most messages give up no turn, and the driver then reads this flag alone.
    any: AtomicBool,
    given_up: Mutex<Vec<Turn>>,
    /// Waker of the connection's driver, which waits for turns. Unset without a socket.
    driver: OnceLock<Arc<AtomicWaker>>,
}

impl Turns {
    /// Sets the waker of the driver, which is woken when a turn is given up. Later calls have no effect.
    pub fn set_driver(&self, driver: Arc<AtomicWaker>) {
        let _ = self.driver.set(driver);
    }

    pub(crate) fn give_up(&self, turn: Turn) {
        // Without a driver, nothing would clear the list.
        if let Some(driver) = self.driver.get() {
            let mut given_up = self.given_up.lock();
            if !given_up.contains(&turn) {
                given_up.push(turn);
            }
            drop(given_up);
            self.any.store(true, Ordering::Release);
            driver.wake();
        }
    }

    /// Takes the turns that were given up since the last call.
    #[must_use]
    pub fn take_given_up(&self) -> Vec<Turn> {
        if self.any.load(Ordering::Acquire) {
            self.any.store(false, Ordering::Release);
            return mem::take(&mut self.given_up.lock());
        }
        Vec::new()
    }
}

impl fmt::Debug for Turns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turns")
            .field("any", &self.any)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(number: u64) -> Turn {
        Turn::MIN.saturating_add(number)
    }

    #[test]
    fn a_released_turn_is_taken_once() {
        let turns = Turns::default();
        turns.set_driver(Arc::default());
        assert_eq!(turns.take_given_up(), []);
        for number in [1, 2, 1] {
            turns.give_up(turn(number));
        }
        assert_eq!(turns.take_given_up(), [turn(1), turn(2)]);
        assert_eq!(turns.take_given_up(), []);
    }

    #[test]
    fn a_connection_without_a_driver_records_no_released_turns() {
        let turns = Turns::default();
        turns.give_up(turn(1));
        turns.set_driver(Arc::default());
        assert_eq!(turns.take_given_up(), []);
    }
}
