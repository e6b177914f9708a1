use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::sleep;

/// Random numbers that a seed decides, for the handlers and the script of a simulation. Clones continue the same
/// sequence.
#[derive(Debug, Clone)]
pub struct Chance(Arc<Mutex<u64>>);

impl Chance {
    /// Creates one of several independent sequences of a seed.
    pub(super) fn new(seed: u64, sequence: u64) -> Self {
        let chance = Self(Arc::new(Mutex::new(
            seed ^ sequence.wrapping_mul(0xA24B_AED4_963E_E407),
        )));
        // The first numbers of neighbouring seeds are alike in no bit after this.
        let state = chance.number();
        Self(Arc::new(Mutex::new(state)))
    }

    /// Returns a number of 64 random bits.
    pub fn number(&self) -> u64 {
        // SplitMix64: Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014.
        let mut state = self.0.lock();
        *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below `end`, or 0 if `end` is 0.
    pub fn below(&self, end: u64) -> u64 {
        self.number() % end.max(1)
    }

    /// Returns true once in `times` on average.
    pub fn one_in(&self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// Returns one of these values. `None` if there are none.
    pub fn pick<'a, T>(&self, values: &'a [T]) -> Option<&'a T> {
        let index = usize::try_from(self.below(values.len() as u64)).unwrap_or_default();
        values.get(index)
    }

    /// Returns a time of whole milliseconds, up to this one.
    pub fn time(&self, up_to: Duration) -> Duration {
        let millis = u64::try_from(up_to.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.below(millis.saturating_add(1)))
    }

    /// Waits for a time up to this one. Half of the calls do not wait at all.
    pub async fn pause(&self, up_to: Duration) {
        if self.one_in(2) {
            sleep(self.time(up_to)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_the_numbers_and_sequences_differ() {
        let numbers = |seed, sequence| {
            let chance = Chance::new(seed, sequence);
            [(); 8].map(|()| chance.below(1_000_000))
        };
        assert_eq!(numbers(1, 0), numbers(1, 0));
        assert_ne!(numbers(1, 0), numbers(2, 0));
        assert_ne!(numbers(1, 0), numbers(1, 1));
        assert_ne!(numbers(0, 0), numbers(0, 1));
    }

    #[test]
    fn numbers_are_spread_evenly() {
        let chance = Chance::new(3, 0);
        let mut counts = [0; 10];
        for _ in 0..10_000 {
            counts[usize::try_from(chance.below(10)).unwrap()] += 1;
        }
        assert!(
            counts.iter().all(|count| (900..1_100).contains(count)),
            "{counts:?}"
        );
    }
}
