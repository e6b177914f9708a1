//! The count of a session's received frames, and their acknowledgement.

use std::{
    future::Future,
    pin::Pin,
    task::{Context as Task, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep};

use super::wire::FRAME_WEIGHT;

/// Counts the frames that were received in a session, and decides when to acknowledge them: at once after a welcome,
/// then after a time or a number of bytes.
pub(super) struct Acks {
    /// Number of the last counted frame.
    received: u64,
    /// Bytes of the frames that were not acknowledged, each with [`FRAME_WEIGHT`].
    unacknowledged: usize,
    max_unacknowledged: usize,
    every: Duration,
    /// True if an acknowledgement is due now.
    is_due: bool,
    /// Set while something is unacknowledged.
    alarm: Pin<Box<Sleep>>,
}

impl Acks {
    /// Begins with the welcome of a new session, which is acknowledged. A server keeps at most `record` bytes.
    pub(super) fn new(every: Duration, record: usize) -> Self {
        Self {
            received: 0,
            unacknowledged: 0,
            max_unacknowledged: record / 4,
            every,
            is_due: true,
            alarm: Box::pin(sleep(every)),
        }
    }

    /// Continues with the welcome of another connection. Its acknowledgement shows that the new token has arrived.
    pub(super) fn resume(&mut self, every: Duration, record: usize) {
        self.every = every;
        self.max_unacknowledged = record / 4;
        self.is_due = true;
    }

    /// Returns the number of the last counted frame.
    pub(super) const fn received(&self) -> u64 {
        self.received
    }

    /// Counts a frame of this size.
    pub(super) fn count(&mut self, bytes: usize) {
        if self.unacknowledged == 0 {
            self.alarm.as_mut().reset(Instant::now() + self.every);
        }
        self.received += 1;
        self.unacknowledged += bytes + FRAME_WEIGHT;
        self.is_due |= self.unacknowledged > self.max_unacknowledged;
    }

    /// Polls for the number of an acknowledgement that is due.
    pub(super) fn poll(&mut self, cx: &mut Task<'_>) -> Poll<u64> {
        if !self.is_due {
            if self.unacknowledged == 0 {
                return Poll::Pending;
            }
            ready!(self.alarm.as_mut().poll(cx));
        }
        self.is_due = false;
        self.unacknowledged = 0;
        Poll::Ready(self.received)
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, task::Waker};

    use super::*;

    fn due(acks: &mut Acks) -> Poll<u64> {
        acks.poll(&mut Task::from_waker(Waker::noop()))
    }

    #[tokio::test(start_paused = true)]
    async fn frames_are_acknowledged_after_a_welcome_and_then_after_a_time() {
        let mut acks = Acks::new(Duration::from_secs(1), 4_000);
        assert_eq!(due(&mut acks), Poll::Ready(0));
        assert_eq!(due(&mut acks), Poll::Pending);
        tokio::time::advance(Duration::from_secs(3)).await;
        let start = Instant::now();
        acks.count(1);
        acks.count(1);
        assert_eq!(poll_fn(|cx| acks.poll(cx)).await, 2);
        assert_eq!(start.elapsed().as_secs(), 1);
        assert_eq!(due(&mut acks), Poll::Pending);
        acks.resume(Duration::from_secs(1), 4_000);
        assert_eq!(due(&mut acks), Poll::Ready(2));
    }

    #[tokio::test(start_paused = true)]
    async fn frames_are_acknowledged_at_once_past_a_quarter_of_the_record() {
        let mut acks = Acks::new(Duration::from_secs(1), 4_000);
        assert_eq!(due(&mut acks), Poll::Ready(0));
        acks.count(1_000 - FRAME_WEIGHT);
        assert_eq!(due(&mut acks), Poll::Pending);
        acks.count(1);
        assert_eq!(due(&mut acks), Poll::Ready(2));
        acks.count(1);
        assert_eq!(due(&mut acks), Poll::Pending);
    }
}
