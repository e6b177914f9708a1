//! Detection of a server that has gone silent.

use std::{
    future::Future,
    pin::Pin,
    task::{Context as Task, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

/// Detects a silent server. Requests a ping after `after` without a frame, and gives up when `within` passes after the
/// ping without one.
pub(super) struct Heartbeat {
    after: Duration,
    within: Duration,
    heard: Instant,
    asked: Option<Instant>,
    alarm: Pin<Box<Sleep>>,
}

/// The action that is due.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Beat {
    /// Send a ping.
    Ping,
    /// Give up the connection.
    GiveUp,
}

impl Heartbeat {
    pub(super) fn new(after: Duration, within: Duration) -> Self {
        let heard = Instant::now();
        Self {
            after,
            within,
            heard,
            asked: None,
            alarm: Box::pin(sleep_until(heard + after)),
        }
    }

    /// Records that a frame was received.
    pub(super) fn heard(&mut self) {
        self.heard = Instant::now();
        if self.asked.take().is_some() {
            // The alarm is still set for the deadline of the pong, which may be later than the next ping.
            self.alarm.as_mut().reset(self.heard + self.after);
        }
    }

    pub(super) fn poll(&mut self, cx: &mut Task<'_>) -> Poll<Beat> {
        loop {
            ready!(self.alarm.as_mut().poll(cx));
            let due = self
                .asked
                .map_or(self.heard + self.after, |asked| asked + self.within);
            if due > Instant::now() {
                self.alarm.as_mut().reset(due);
                continue;
            }
            if self.asked.is_some() {
                return Poll::Ready(Beat::GiveUp);
            }
            let now = Instant::now();
            self.asked = Some(now);
            self.alarm.as_mut().reset(now + self.within);
            return Poll::Ready(Beat::Ping);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_is_asked_about_and_then_given_up() {
        let start = Instant::now();
        let mut heart = Heartbeat::new(Duration::from_secs(25), Duration::from_secs(20));
        assert_eq!(poll_fn(|cx| heart.poll(cx)).await, Beat::Ping);
        assert_eq!(start.elapsed().as_secs(), 25);
        heart.heard();
        assert_eq!(poll_fn(|cx| heart.poll(cx)).await, Beat::Ping);
        assert_eq!(start.elapsed().as_secs(), 50);
        assert_eq!(poll_fn(|cx| heart.poll(cx)).await, Beat::GiveUp);
        assert_eq!(start.elapsed().as_secs(), 70);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_begins_the_silence_anew_however_long_the_patience() {
        let start = Instant::now();
        let mut heart = Heartbeat::new(Duration::from_secs(5), Duration::from_secs(60));
        for seconds in [5, 10, 15] {
            assert_eq!(poll_fn(|cx| heart.poll(cx)).await, Beat::Ping);
            assert_eq!(start.elapsed().as_secs(), seconds);
            heart.heard();
        }
    }
}
