//! Barriers: a join is answered once every other node's events to the room arrive here.
//!
//! An engine promises nothing about the time at which a subscription reaches its other servers. But a node's answer to a
//! request travels behind the subscriptions that were made before the request. So a barrier is a request that each known
//! node answers. There is one at a time, for all rooms that were subscribed to before it.

use std::{collections::HashSet, time::Duration};

use parking_lot::Mutex;
use tokio::{sync::watch, time::Instant};
use uuid::Uuid;
use zocket_layers::internal::{Broken, is_broken};

/// Time after which a barrier no longer waits for the nodes that have not answered.
const PATIENCE: Duration = Duration::from_secs(2);

/// Returns the least time between two barriers of a node. Each asks all others, so the messages of all nodes' barriers grow
/// with the square of the nodes. With this time, the engine sends about a million of them a second at most, and joins that
/// come faster share a barrier. A node waits no longer than its timer's resolution up to 23 others, and 20 ms with 100.
const fn spacing(others: usize) -> Duration {
    let others = others as u64;
    Duration::from_micros(others.saturating_mul(others).saturating_mul(2))
}

#[derive(Debug)]
pub(super) struct Barriers {
    open: Mutex<Option<Open>>,
    /// Number of the last barrier that has ended.
    ended: watch::Sender<u64>,
    /// Time before which none begins.
    held_until: Mutex<Option<Instant>>,
}

#[derive(Debug)]
struct Open {
    number: u64,
    waits_for: HashSet<Uuid>,
    deadline: Instant,
}

impl Default for Barriers {
    fn default() -> Self {
        Self {
            open: Mutex::default(),
            ended: watch::Sender::new(0),
            held_until: Mutex::default(),
        }
    }
}

impl Barriers {
    /// Begins a barrier that these nodes have to answer. The one before it has ended.
    pub(super) fn begin(&self, number: u64, nodes: Vec<Uuid>) {
        let waits_for: HashSet<_> = nodes.into_iter().collect();
        self.hold_until(Instant::now() + spacing(waits_for.len()));
        if waits_for.is_empty() || is_broken(Broken::Barrier) {
            self.ended.send_replace(number);
            return;
        }
        let deadline = Instant::now() + PATIENCE;
        *self.open.lock() = Some(Open {
            number,
            waits_for,
            deadline,
        });
    }

    /// Records the answer of a node. Answers to an earlier barrier are ignored.
    pub(super) fn answered(&self, number: u64, node: Uuid) {
        self.update(|open| {
            if open.number == number {
                open.waits_for.remove(&node);
            }
        });
    }

    /// No longer waits for a node that is gone.
    pub(super) fn forget(&self, node: Uuid) {
        self.update(|open| {
            open.waits_for.remove(&node);
        });
    }

    /// Ends the barrier if its time is over. Returns the number of nodes that have not answered.
    pub(super) fn give_up(&self, now: Instant) -> usize {
        let mut missing = 0;
        self.update(|open| {
            if open.deadline <= now {
                missing = open.waits_for.drain().count();
            }
        });
        missing
    }

    /// Ends the barrier without the answers of other nodes, as the engine is away.
    pub(super) fn cancel(&self) {
        self.update(|open| open.waits_for.clear());
    }

    fn update(&self, change: impl FnOnce(&mut Open)) {
        let mut open = self.open.lock();
        let Some(barrier) = &mut *open else { return };
        change(barrier);
        if barrier.waits_for.is_empty() {
            let number = barrier.number;
            *open = None;
            drop(open);
            self.ended.send_replace(number);
        }
    }

    /// Begins no barrier before this time.
    pub(super) fn hold_until(&self, time: Instant) {
        let mut held_until = self.held_until.lock();
        *held_until = (*held_until).max(Some(time));
    }

    /// Returns true if a barrier can begin.
    pub(super) fn can_begin(&self, now: Instant) -> bool {
        let is_held = self.held_until.lock().is_some_and(|until| now < until);
        !is_held && self.open.lock().is_none()
    }

    /// Returns the time at which the barrier is given up, or the next one can begin.
    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        let given_up = self.open.lock().as_ref().map(|open| open.deadline);
        given_up.or_else(|| self.held_until.lock().filter(|until| now < *until))
    }

    pub(super) fn has_ended(&self, number: u64) -> bool {
        *self.ended.borrow() >= number
    }

    /// Waits for the end of a barrier.
    pub(super) fn end_of(&self, number: u64) -> impl Future<Output = ()> + Send + 'static + use<> {
        let mut ended = self.ended.subscribe();
        // An error means that the hub is gone, and its clients with it.
        async move { drop(ended.wait_for(|ended| *ended >= number).await) }
    }

    /// Receives the number of each barrier that ends.
    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.ended.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn nodes() -> [Uuid; 2] {
        [Uuid::new_v4(), Uuid::new_v4()]
    }

    #[test]
    fn a_barrier_ends_with_the_answer_of_the_last_node() {
        let (barriers, [a, b]) = (Barriers::default(), nodes());
        barriers.begin(1, vec![a, b]);
        let end = barriers.end_of(1);
        barriers.answered(1, a);
        barriers.answered(1, a);
        barriers.answered(0, b);
        assert!(!barriers.has_ended(1));
        barriers.answered(1, b);
        assert!(barriers.has_ended(1) && barriers.can_begin(Instant::now() + spacing(2)));
        assert!(end.now_or_never().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn barriers_among_many_nodes_leave_time_between_them() {
        let (barriers, now) = (Barriers::default(), Instant::now());
        let nodes: Vec<_> = (0..100).map(|_| Uuid::new_v4()).collect();
        barriers.begin(1, nodes.clone());
        for node in nodes {
            barriers.answered(1, node);
        }
        let next = now + Duration::from_millis(20);
        assert!(barriers.has_ended(1) && !barriers.can_begin(next - Duration::from_millis(1)));
        assert_eq!(barriers.deadline(now), Some(next));
        assert!(barriers.can_begin(next));
        assert_eq!([1, 22].map(spacing), [2, 968].map(Duration::from_micros));
    }

    #[test]
    fn a_node_alone_waits_for_none() {
        let barriers = Barriers::default();
        barriers.begin(1, Vec::new());
        assert!(barriers.has_ended(1));
    }

    #[tokio::test(start_paused = true)]
    async fn nodes_that_are_gone_or_silent_do_not_hold_up_a_join() {
        let (barriers, [a, b]) = (Barriers::default(), nodes());
        barriers.begin(1, vec![a, b]);
        barriers.forget(a);
        assert_eq!(barriers.give_up(Instant::now()), 0);
        assert!(!barriers.can_begin(Instant::now()));
        assert_eq!(barriers.give_up(Instant::now() + PATIENCE), 1);
        assert!(barriers.has_ended(1));
        barriers.begin(2, vec![a]);
        barriers.cancel();
        assert!(barriers.has_ended(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_that_has_come_back_waits_until_it_knows_the_others() {
        let (barriers, now) = (Barriers::default(), Instant::now());
        barriers.hold_until(now + PATIENCE);
        assert!(!barriers.can_begin(now));
        assert_eq!(barriers.deadline(now), Some(now + PATIENCE));
        assert!(barriers.can_begin(now + PATIENCE));
        assert_eq!(barriers.deadline(now + PATIENCE), None);
    }
}
