use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    thread::available_parallelism,
};

use tokio::{sync::Semaphore, task::yield_now};

/// Limit for the teardowns that one processor begins between two polls of the sockets. Outside of a mass disconnect,
/// fewer connections end in that time.
const AT_ONCE: usize = 16;

/// Limits concurrent teardowns, so that a mass disconnect does not starve live connections. Detecting that a peer is
/// gone is cheap. Its teardown is not.
pub(crate) struct TeardownQueue(Semaphore);

impl Default for TeardownQueue {
    fn default() -> Self {
        let processors = available_parallelism().map_or(1, usize::from);
        Self(Semaphore::new(AT_ONCE * processors))
    }
}

impl TeardownQueue {
    /// Runs a teardown once a permit is available. The permit is released after the teardown's first poll, so that a
    /// teardown that waits delays no other.
    pub(crate) async fn run(&self, teardown: impl Future<Output = ()>) {
        let mut teardown = pin!(teardown);
        let permit = self.0.acquire().await;
        // Yields with the permit held: the runtime polls its sockets before it resumes a task that has yielded.
        yield_now().await;
        let first = poll_fn(|cx| Poll::Ready(teardown.as_mut().poll(cx))).await;
        drop(permit);
        if first.is_pending() {
            teardown.await;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "what fails here is a test")]

    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        time::Duration,
    };

    use tokio::{spawn, task::JoinSet, time::timeout};

    use super::*;

    const MANY: usize = 10_000;

    #[tokio::test]
    async fn live_connections_do_not_wait_for_a_mass_disconnect() {
        let (queue, gone) = (Arc::new(TeardownQueue::default()), Arc::new(AtomicUsize::new(0)));
        let mut going = JoinSet::new();
        for _ in 0..MANY {
            let (queue, gone) = (queue.clone(), gone.clone());
            going.spawn(async move {
                queue
                    .run(async {
                        gone.fetch_add(1, Ordering::Relaxed);
                    })
                    .await;
            });
        }
        let seen = gone.clone();
        let stays = spawn(async move { seen.load(Ordering::Relaxed) });
        let before = stays.await.unwrap();
        assert!(before < MANY / 2, "{before} of {MANY} had gone before");
        going.join_all().await;
        assert_eq!(gone.load(Ordering::Relaxed), MANY);
    }

    #[tokio::test]
    async fn a_pending_teardown_does_not_block_the_others() {
        let queue = Arc::new(TeardownQueue::default());
        let mut waiting = JoinSet::new();
        for _ in 0..queue.0.available_permits() {
            let queue = queue.clone();
            waiting.spawn(async move { queue.run(std::future::pending()).await });
        }
        timeout(Duration::from_secs(10), queue.run(std::future::ready(())))
            .await
            .unwrap();
    }
}
