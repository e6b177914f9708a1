//! Whose end is next.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    thread::available_parallelism,
};

use tokio::{sync::Semaphore, task::yield_now};

/// So many connections of an app end before other tasks have their turn, for each processor: more than can come and go
/// in between, a few looks at each being the least.
const AT_ONCE: usize = 16;

/// Has the ends of connections queue up behind everything else. When very many peers go at once, those who stay would
/// wait for all that went before they asked: to notice that a peer has gone is little, to let go of it is much.
pub(crate) struct Ends(Semaphore);

impl Default for Ends {
    fn default() -> Self {
        let processors = available_parallelism().map_or(1, usize::from);
        Self(Semaphore::new(AT_ONCE * processors))
    }
}

impl Ends {
    /// Begins `end` when it is its turn, and runs it, however long that takes: others do not wait for one that waits.
    pub(super) async fn run(&self, end: impl Future<Output = ()>) {
        let mut end = pin!(end);
        let turn = self.0.acquire().await;
        // Whoever yields is woken when the runtime has looked for what came in.
        yield_now().await;
        let begun = poll_fn(|cx| Poll::Ready(end.as_mut().poll(cx))).await;
        drop(turn);
        if begun.is_pending() {
            end.await;
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
    async fn who_stays_does_not_wait_for_all_that_go() {
        let (ends, gone) = (Arc::new(Ends::default()), Arc::new(AtomicUsize::new(0)));
        let mut going = JoinSet::new();
        for _ in 0..MANY {
            let (ends, gone) = (ends.clone(), gone.clone());
            going.spawn(async move {
                ends.run(async {
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
    async fn an_end_that_waits_holds_up_no_other() {
        let ends = Arc::new(Ends::default());
        let mut waiting = JoinSet::new();
        for _ in 0..ends.0.available_permits() {
            let ends = ends.clone();
            waiting.spawn(async move { ends.run(std::future::pending()).await });
        }
        timeout(Duration::from_secs(10), ends.run(std::future::ready(())))
            .await
            .unwrap();
    }
}
