//! Detection of a server that has gone silent.

use std::{
    future::Future,
    pin::Pin,
    task::{Context as Task, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

/// Detects a silent server. A ping is due when no frame has arrived for `ping_after`. The connection is lost when none
/// has arrived within `pong_within` of the ping.
pub(super) struct Heartbeat {
    ping_after: Duration,
    pong_within: Duration,
    last_frame: Instant,
    pinged: Option<Instant>,
    alarm: Pin<Box<Sleep>>,
}

/// The action that is due.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum HeartbeatAction {
    /// Send a ping.
    Ping,
    /// Drop the connection.
    GiveUp,
}

impl Heartbeat {
    pub(super) fn new(ping_after: Duration, pong_within: Duration) -> Self {
        let last_frame = Instant::now();
        Self {
            ping_after,
            pong_within,
            last_frame,
            pinged: None,
            alarm: Box::pin(sleep_until(last_frame + ping_after)),
        }
    }

    /// Records that a frame was received.
    pub(super) fn record_frame(&mut self) {
        self.last_frame = Instant::now();
        if self.pinged.take().is_some() {
            // The alarm is still set for the deadline of the pong, which may be later than the next ping.
            self.alarm.as_mut().reset(self.last_frame + self.ping_after);
        }
    }

    /// Polls for the action that is due.
    pub(super) fn poll(&mut self, cx: &mut Task<'_>) -> Poll<HeartbeatAction> {
        loop {
            ready!(self.alarm.as_mut().poll(cx));
            let due = self.pinged.map_or(self.last_frame + self.ping_after, |pinged| {
                pinged + self.pong_within
            });
            if due > Instant::now() {
                self.alarm.as_mut().reset(due);
                continue;
            }
            if self.pinged.is_some() {
                return Poll::Ready(HeartbeatAction::GiveUp);
            }
            let now = Instant::now();
            self.pinged = Some(now);
            self.alarm.as_mut().reset(now + self.pong_within);
            return Poll::Ready(HeartbeatAction::Ping);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_is_answered_with_a_ping_and_then_a_disconnect() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(Duration::from_secs(25), Duration::from_secs(20));
        assert_eq!(poll_fn(|cx| heartbeat.poll(cx)).await, HeartbeatAction::Ping);
        assert_eq!(start.elapsed().as_secs(), 25);
        heartbeat.record_frame();
        assert_eq!(poll_fn(|cx| heartbeat.poll(cx)).await, HeartbeatAction::Ping);
        assert_eq!(start.elapsed().as_secs(), 50);
        assert_eq!(poll_fn(|cx| heartbeat.poll(cx)).await, HeartbeatAction::GiveUp);
        assert_eq!(start.elapsed().as_secs(), 70);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_restarts_the_silence_timer_even_with_a_long_timeout() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(Duration::from_secs(5), Duration::from_secs(60));
        for seconds in [5, 10, 15] {
            assert_eq!(poll_fn(|cx| heartbeat.poll(cx)).await, HeartbeatAction::Ping);
            assert_eq!(start.elapsed().as_secs(), seconds);
            heartbeat.record_frame();
        }
    }
}
