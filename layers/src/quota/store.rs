//! The used part of each key's quota.

use std::{hash::Hash, time::Duration};

use dashmap::DashMap;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::Quota;

/// Used quota, by key.
#[derive(Debug)]
pub struct QuotaStore<K: Eq + Hash> {
    pub(super) quota: Quota,
    max_keys: usize,
    /// Origin of all times in this store.
    start: Instant,
    /// Time at which each key's quota is fully restored. A key whose time has passed is equivalent to a new one.
    restored_at: DashMap<K, Duration>,
    sweep: Mutex<Sweep>,
    /// The same time for the quota that all keys beyond `max_keys` share.
    others: Mutex<Duration>,
}

/// Schedule of the next removal of restored keys. A removal is due when the number of keys has doubled since the last
/// one, but at most twice in the time that restores a whole burst. So its cost per message is small.
#[derive(Debug)]
struct Sweep {
    at: usize,
    not_before: Duration,
}

/// Number of keys below which none are removed.
const MIN_SWEEP_SIZE: usize = 1024;

impl<K: Eq + Hash> QuotaStore<K> {
    /// Creates a store for at most `max_keys` keys. While they are all in use, new keys share one quota.
    #[must_use]
    pub fn new(quota: Quota, max_keys: usize) -> Self {
        Self {
            quota,
            max_keys,
            start: Instant::now(),
            restored_at: DashMap::new(),
            sweep: Mutex::new(Sweep {
                at: MIN_SWEEP_SIZE.min(max_keys),
                not_before: Duration::ZERO,
            }),
            others: Mutex::new(Duration::ZERO),
        }
    }

    /// Charges one message to a key.
    ///
    /// # Errors
    /// The time to wait, if the quota is used up.
    pub fn charge(&self, key: K) -> Result<(), Duration> {
        let now = self.start.elapsed();
        if let Some(mut restored_at) = self.restored_at.get_mut(&key) {
            return self.quota.charge(&mut restored_at, now);
        }
        self.sweep(now);
        if self.restored_at.len() < self.max_keys {
            return self
                .quota
                .charge(&mut self.restored_at.entry(key).or_default(), now);
        }
        self.quota.charge(&mut self.others.lock(), now)
    }

    fn sweep(&self, now: Duration) {
        let Some(mut sweep) = self.sweep.try_lock() else {
            return;
        };
        if self.restored_at.len() < sweep.at || now < sweep.not_before {
            return;
        }
        self.restored_at.retain(|_, restored_at| *restored_at > now);
        self.restored_at.shrink_to_fit();
        sweep.at = (2 * self.restored_at.len())
            .max(MIN_SWEEP_SIZE)
            .min(self.max_keys);
        sweep.not_before = now.saturating_add(self.quota.window() / 2);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_quota_allows_its_burst_and_then_one_per_interval() {
        let store = QuotaStore::new(Quota::new(4, SECOND), 10);
        for _ in 0..4 {
            assert_eq!(store.charge('a'), Ok(()));
        }
        assert_eq!(store.charge('a'), Err(SECOND / 4));
        advance(Duration::from_millis(249)).await;
        assert_eq!(store.charge('a'), Err(Duration::from_millis(1)));
        advance(Duration::from_millis(1)).await;
        assert_eq!(store.charge('a'), Ok(()));
        assert_eq!(store.charge('a'), Err(SECOND / 4));
        advance(100 * SECOND).await;
        for _ in 0..4 {
            assert_eq!(store.charge('a'), Ok(()));
        }
        assert!(store.charge('a').is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn the_burst_is_independent_of_the_rate() {
        let store = QuotaStore::new(Quota::new(1, SECOND).burst(3), 10);
        for _ in 0..3 {
            assert_eq!(store.charge('a'), Ok(()));
        }
        assert_eq!(store.charge('a'), Err(SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn keys_beyond_the_capacity_share_one_quota() {
        let store = QuotaStore::new(Quota::new(1, SECOND), 2);
        assert_eq!(store.charge(1), Ok(()));
        assert_eq!(store.charge(2), Ok(()));
        assert_eq!(store.charge(3), Ok(()));
        assert_eq!(store.charge(4), Err(SECOND));
        assert_eq!(store.restored_at.len(), 2);
        // Keys that were there first are not affected.
        advance(SECOND / 2).await;
        assert_eq!(store.charge(1), Err(SECOND / 2));
        advance(SECOND).await;
        assert_eq!(store.charge(3), Ok(()));
        assert_eq!(store.charge(4), Ok(()));
        assert_eq!(store.restored_at.len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn fully_replenished_keys_are_removed() {
        let store = QuotaStore::new(Quota::new(1, SECOND), usize::MAX);
        for key in 0..100_000 {
            assert_eq!(store.charge(key), Ok(()));
            advance(Duration::from_millis(10)).await;
        }
        assert!(
            store.restored_at.len() <= 2 * MIN_SWEEP_SIZE,
            "{} keys are kept",
            store.restored_at.len()
        );
    }

    #[test]
    fn extreme_quotas_do_not_overflow() {
        let store = QuotaStore::new(Quota::new(u32::MAX, Duration::from_nanos(1)), 1);
        for _ in 0..1000 {
            assert_eq!(store.charge('a'), Ok(()));
        }
        let store = QuotaStore::new(Quota::new(1, Duration::MAX).burst(u32::MAX), 1);
        assert_eq!(store.charge('a'), Ok(()));
        assert_eq!(store.charge('a'), Ok(()));
        let store = QuotaStore::new(Quota::new(1, Duration::MAX), 1);
        assert_eq!(store.charge('a'), Ok(()));
        assert!(store.charge('a').is_err());
    }
}
