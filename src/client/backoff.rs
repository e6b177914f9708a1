//! Random waits between attempts to connect.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

/// Computes waits whose upper bound doubles with each attempt, from the floor to the cap.
#[derive(Debug, Clone)]
pub(super) struct Backoff {
    pub(super) floor: Duration,
    pub(super) cap: Duration,
}

impl Backoff {
    /// Returns the wait before attempt `attempts` (from 1): between the floor and `floor · 2^attempts`, at most the
    /// cap. `random` selects the point within that range.
    fn at(&self, attempts: u32, random: u64) -> Duration {
        let factor = 2_u32.saturating_pow(attempts);
        let ceiling = self.floor.saturating_mul(factor).min(self.cap);
        let room = ceiling.saturating_sub(self.floor);
        #[allow(clippy::cast_precision_loss, reason = "it is a random number")]
        let share = random as f64 / u64::MAX as f64;
        (self.floor + room.mul_f64(share)).min(self.cap)
    }

    /// Returns a random wait before attempt `attempts` (from 1).
    pub(super) fn wait(&self, attempts: u32) -> Duration {
        // Each `RandomState` has its own random keys, so its hashes serve as random numbers.
        self.at(attempts, RandomState::new().hash_one(attempts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff {
        floor: Duration::from_secs(1),
        cap: Duration::from_secs(30),
    };

    #[test]
    fn the_ceiling_doubles_up_to_the_cap_and_the_floor_stays() {
        let ceilings = [2, 4, 8, 16, 30, 30];
        for (attempts, ceiling) in (1..).zip(ceilings) {
            assert_eq!(BACKOFF.at(attempts, 0), Duration::from_secs(1));
            assert_eq!(BACKOFF.at(attempts, u64::MAX), Duration::from_secs(ceiling));
        }
        assert_eq!(BACKOFF.at(u32::MAX, u64::MAX), Duration::from_secs(30));
    }

    #[test]
    fn the_cap_overrides_the_floor() {
        let odd = Backoff {
            floor: Duration::from_secs(9),
            cap: Duration::from_secs(3),
        };
        assert_eq!(odd.at(1, u64::MAX), Duration::from_secs(3));
    }

    #[test]
    fn backoff_waits_are_randomised() {
        let waits: std::collections::HashSet<_> = (0..20).map(|_| BACKOFF.wait(5)).collect();
        assert!(waits.len() > 10, "{waits:?}");
    }
}
