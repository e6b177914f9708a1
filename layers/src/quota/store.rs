//! What has been used.

use std::{hash::Hash, time::Duration};

use dashmap::DashMap;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::Quota;

/// What each key has used of its quota.
#[derive(Debug)]
pub(super) struct Store<K: Eq + Hash> {
    pub(super) quota: Quota,
    max_keys: usize,
    /// What all times here are counted from.
    start: Instant,
    /// When each key has got back what it used. One whose time has passed is like one that was never seen.
    paid: DashMap<K, Duration>,
    sweep: Mutex<Sweep>,
    /// What those have used together for whom there was no room.
    others: Mutex<Duration>,
}

/// When keys are looked through for those that need not be kept: when there are twice as many as there were left, but
/// seldom enough for it to cost a message next to nothing.
#[derive(Debug)]
struct Sweep {
    at: usize,
    not_before: Duration,
}

/// So few keys are not worth looking through.
const FEW: usize = 1024;

impl<K: Eq + Hash> Store<K> {
    pub(super) fn new(quota: Quota, max_keys: usize) -> Self {
        Self {
            quota,
            max_keys,
            start: Instant::now(),
            paid: DashMap::new(),
            sweep: Mutex::new(Sweep {
                at: FEW.min(max_keys),
                not_before: Duration::ZERO,
            }),
            others: Mutex::new(Duration::ZERO),
        }
    }

    /// Takes one message's share; or says when there will be one.
    pub(super) fn take(&self, key: K) -> Result<(), Duration> {
        let now = self.start.elapsed();
        if let Some(mut paid) = self.paid.get_mut(&key) {
            return self.quota.take(&mut paid, now);
        }
        self.sweep(now);
        if self.paid.len() < self.max_keys {
            return self.quota.take(&mut self.paid.entry(key).or_default(), now);
        }
        self.quota.take(&mut self.others.lock(), now)
    }

    fn sweep(&self, now: Duration) {
        let Some(mut sweep) = self.sweep.try_lock() else {
            return;
        };
        if self.paid.len() < sweep.at || now < sweep.not_before {
            return;
        }
        self.paid.retain(|_, paid| *paid > now);
        self.paid.shrink_to_fit();
        sweep.at = (2 * self.paid.len()).max(FEW).min(self.max_keys);
        sweep.not_before = now.saturating_add(self.quota.window() / 2);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn as_many_as_may_be_at_once_then_one_for_each_share_of_the_time() {
        let store = Store::new(Quota::new(4, SECOND), 10);
        for _ in 0..4 {
            assert_eq!(store.take('a'), Ok(()));
        }
        assert_eq!(store.take('a'), Err(SECOND / 4));
        advance(Duration::from_millis(249)).await;
        assert_eq!(store.take('a'), Err(Duration::from_millis(1)));
        advance(Duration::from_millis(1)).await;
        assert_eq!(store.take('a'), Ok(()));
        assert_eq!(store.take('a'), Err(SECOND / 4));
        advance(100 * SECOND).await;
        for _ in 0..4 {
            assert_eq!(store.take('a'), Ok(()));
        }
        assert!(store.take('a').is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_apart_from_the_rate() {
        let store = Store::new(Quota::new(1, SECOND).burst(3), 10);
        for _ in 0..3 {
            assert_eq!(store.take('a'), Ok(()));
        }
        assert_eq!(store.take('a'), Err(SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_finds_no_room_shares_one_quota_with_the_others_until_there_is_room() {
        let store = Store::new(Quota::new(1, SECOND), 2);
        assert_eq!(store.take(1), Ok(()));
        assert_eq!(store.take(2), Ok(()));
        assert_eq!(store.take(3), Ok(()));
        assert_eq!(store.take(4), Err(SECOND));
        assert_eq!(store.paid.len(), 2);
        // Who was there first is not worse off.
        advance(SECOND / 2).await;
        assert_eq!(store.take(1), Err(SECOND / 2));
        advance(SECOND).await;
        assert_eq!(store.take(3), Ok(()));
        assert_eq!(store.take(4), Ok(()));
        assert_eq!(store.paid.len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn keys_that_have_got_everything_back_are_let_go() {
        let store = Store::new(Quota::new(1, SECOND), usize::MAX);
        for key in 0..100_000 {
            assert_eq!(store.take(key), Ok(()));
            advance(Duration::from_millis(10)).await;
        }
        assert!(store.paid.len() <= 2 * FEW, "{} keys are kept", store.paid.len());
    }

    #[test]
    fn quotas_beyond_all_measure_are_no_trouble() {
        let store = Store::new(Quota::new(u32::MAX, Duration::from_nanos(1)), 1);
        for _ in 0..1000 {
            assert_eq!(store.take('a'), Ok(()));
        }
        let store = Store::new(Quota::new(1, Duration::MAX).burst(u32::MAX), 1);
        assert_eq!(store.take('a'), Ok(()));
        assert_eq!(store.take('a'), Ok(()));
        let store = Store::new(Quota::new(1, Duration::MAX), 1);
        assert_eq!(store.take('a'), Ok(()));
        assert!(store.take('a').is_err());
    }
}
