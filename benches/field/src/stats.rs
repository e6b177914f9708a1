//! Medians and quantiles.

use std::time::Duration;

const FINE: u32 = 6;
const SUB: usize = 1 << FINE;

/// A histogram of nanoseconds, with buckets of a relative width of at most 1/64.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: vec![0; SUB * (64 - FINE as usize + 1)],
            count: 0,
            max: 0,
        }
    }
}

impl Histogram {
    pub(crate) fn record(&mut self, nanos: u64) {
        self.buckets[bucket(nanos)] += 1;
        self.count += 1;
        self.max = self.max.max(nanos);
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn max(&self) -> Duration {
        Duration::from_nanos(self.max)
    }

    /// Returns the quantile of a share (0.5, 0.99), accurate to 1/64.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        let rank = ((self.count as f64 * share).ceil() as u64).clamp(1, self.count.max(1));
        let mut seen = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Duration::from_nanos(value(index).min(self.max));
            }
        }
        self.max()
    }
}

fn bucket(nanos: u64) -> usize {
    let magnitude = 63_u32.saturating_sub(nanos.leading_zeros());
    if magnitude < FINE {
        return nanos as usize;
    }
    let shift = magnitude - FINE;
    SUB * (shift as usize + 1) + ((nanos >> shift) as usize - SUB)
}

/// Returns the largest value of a bucket.
fn value(bucket: usize) -> u64 {
    if bucket < SUB {
        return bucket as u64;
    }
    let shift = bucket / SUB - 1;
    let low = (SUB + bucket % SUB) as u64;
    (low << shift) + ((1_u64 << shift) - 1)
}

/// Returns the median: zero for no values, the mean of the middle two for an even number.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => values[half],
        _ => f64::midpoint(values[half - 1], values[half]),
    }
}

/// Returns the quantile of a share, zero for no values.
pub(crate) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1) as f64;
    let place = (last * share).round() as usize;
    values.get(place).copied().unwrap_or_default()
}

/// A median, and the range of the rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Spread {
    pub(crate) fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        Self {
            median: median(values.clone()),
            least: values.clone().fold(f64::MAX, f64::min),
            most: values.fold(f64::MIN, f64::max),
        }
    }

    pub(crate) fn shown(self, format: impl Fn(f64) -> String) -> String {
        let Self { median, least, most } = self;
        format!("{} ({} to {})", format(median), format(least), format(most))
    }
}

#[cfg(test)]
mod tests {
    use super::{Histogram, bucket, median, quantile, value};

    #[test]
    fn a_bucket_is_accurate_to_a_64th() {
        for nanos in [0, 1, 63, 64, 65, 127, 128, 1_000, 123_456_789, u64::MAX / 2] {
            let top = value(bucket(nanos));
            assert!(top >= nanos && top - nanos <= nanos / 64, "{nanos}: {top}");
        }
    }

    #[test]
    fn quantiles_are_by_rank() {
        let mut histogram = Histogram::default();
        (1..=100).for_each(|value| histogram.record(value * 1_000));
        let near = |share, expected: u128| {
            let got = histogram.quantile(share).as_nanos();
            assert!(got.abs_diff(expected) <= expected / 50, "{share}: {got}");
        };
        near(0.5, 50_000);
        near(0.99, 99_000);
        assert_eq!(histogram.max().as_nanos(), 100_000);
        assert_eq!(histogram.quantile(1.0), histogram.max());
    }

    #[test]
    fn an_empty_histogram_is_all_zero() {
        assert!(Histogram::default().quantile(0.99).is_zero());
    }

    #[test]
    fn quartiles_are_values() {
        assert_eq!(quantile(&[5.0, 1.0, 4.0, 2.0, 3.0], 0.25), 2.0);
        assert_eq!(quantile(&[5.0, 1.0, 4.0, 2.0, 3.0], 0.75), 4.0);
        assert_eq!(quantile(&[], 0.5), 0.0);
    }

    #[test]
    fn the_median_does_not_depend_on_the_order() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median([]), 0.0);
    }
}
