//! Random numbers that a seed decides.

use std::time::Duration;

/// SplitMix64: Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// Creates one of several independent sequences of a seed.
    pub fn new(seed: u64, sequence: u64) -> Self {
        let mut first = Self(seed ^ sequence.wrapping_mul(0xA24B_AED4_963E_E407));
        Self(first.number())
    }

    fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.number() % end.max(1) as u64).unwrap()
    }

    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub fn pick<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len())]
    }

    /// Returns a time of whole milliseconds, up to this one.
    pub fn time(&mut self, up_to: Duration) -> Duration {
        let millis = usize::try_from(up_to.as_millis()).unwrap();
        Duration::from_millis(self.below(millis + 1) as u64)
    }
}
