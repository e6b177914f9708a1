//! Tokio's cooperative budget: a task may do a limited number of operations in one poll, after which everything of
//! tokio that it polls is pending. The task of a connection polls the app's code and its own socket, so they do not
//! share one budget. What the driver itself does in one poll is bounded by its [`Round`].

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::{Context as Task, Poll},
};

use tokio::task::{
    coop::{poll_proceed, unconstrained},
    yield_now,
};

/// Limit for the frames that are read and the queued messages that begin in one poll of a connection, before its task
/// yields to others.
const STEPS_A_ROUND: usize = 64;

/// One poll of a connection.
pub(super) struct Round {
    /// Frames that were read, and queued messages that have begun.
    steps: usize,
    /// True if the stream may have something to read.
    pub(super) may_read: bool,
}

impl Round {
    pub(super) const fn new(may_read: bool) -> Self {
        Self { steps: 0, may_read }
    }

    /// Counts a frame that was read, or a queued message that has begun.
    pub(super) const fn step(&mut self) {
        self.steps += 1;
    }

    /// Returns true if the task has to yield.
    pub(super) const fn is_over(&self) -> bool {
        self.steps >= STEPS_A_ROUND
    }
}

/// Polls code of the app with a budget of its own, as large as what is left of the task's. The task's is unchanged
/// afterwards. Code that uses up its budget is pending and wakes the task, after the runtime has polled its sockets.
pub(super) fn poll_app<T>(cx: &mut Task<'_>, poll: impl FnOnce(&mut Task<'_>) -> T) -> T {
    // Drop resets the budget to what it is now.
    let _reset_on_drop = poll_proceed(cx);
    poll(cx)
}

/// Polls what must not be pending for lack of budget: timers, readiness and writes.
pub(super) fn poll_without_budget<T>(
    cx: &mut Task<'_>,
    poll: impl FnMut(&mut Task<'_>) -> Poll<T>,
) -> Poll<T> {
    pin!(unconstrained(poll_fn(poll))).poll(cx)
}

/// Wakes the task after the runtime has polled its sockets and other tasks.
pub(super) fn wake_later(cx: &mut Task<'_>) {
    let _ = pin!(yield_now()).poll(cx);
}

#[cfg(test)]
mod tests {
    use tokio::{sync::Semaphore, task::coop::has_budget_remaining};

    use super::*;

    /// Acquires permits until the budget is used up. Returns their number.
    fn use_up(cx: &mut Task<'_>) -> usize {
        let permits = Semaphore::new(1_000);
        let acquired = (0..1_000).take_while(|_| pin!(permits.acquire()).poll(cx).is_ready());
        acquired.count()
    }

    #[tokio::test]
    async fn code_of_the_app_uses_up_its_own_budget_only() {
        poll_fn(|cx| {
            let shares = [(); 3].map(|()| poll_app(cx, |cx| (use_up(cx), has_budget_remaining())));
            assert!(shares[0].0 > 100, "{shares:?}");
            assert_eq!(shares, [(shares[0].0, false); 3]);
            assert!(has_budget_remaining());
            Poll::Ready(())
        })
        .await;
    }

    #[tokio::test]
    async fn a_used_up_budget_makes_nothing_pending_without_a_budget() {
        poll_fn(|cx| {
            use_up(cx);
            assert_eq!(use_up(cx), 0);
            assert_eq!(
                poll_without_budget(cx, |cx| Poll::Ready(use_up(cx))),
                Poll::Ready(1_000)
            );
            assert_eq!(use_up(cx), 0);
            Poll::Ready(())
        })
        .await;
    }
}
