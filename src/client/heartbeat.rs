//! Detection of a server that has gone silent.

use std::{
    future::Future,
    pin::Pin,
    task::{Context as Task, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep};

use super::config::FOREVER;

/// Detects a silent server. A ping is due when no frame has arrived for `ping_after`, or when it is asked for. The
/// connection is lost when no frame has arrived within `pong_within` of the ping.
pub(super) struct Heartbeat {
    ping_after: Duration,
    /// Time limit for the answer to a ping, at first.
    first_within: Duration,
    /// The present time limit. It doubles with each connection that was lost by it, until a ping is answered, so that
    /// an answer behind a large frame on a slow link does not lead from break to break.
    pong_within: Duration,
    last_frame: Instant,
    pinged: Option<Instant>,
    /// True if a ping is due now.
    is_asked: bool,
    /// True if the time limit of the present ping was extended.
    is_extended: bool,
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

/// Upper limit of the time limit for the answer to a ping, unless the first is longer.
const LONGEST_PONG: Duration = Duration::from_secs(60);
/// Delay of the alarm from which the process counts as stopped meanwhile.
const STOPPED_FOR: Duration = Duration::from_secs(1);

impl Heartbeat {
    pub(super) fn new(pong_within: Duration) -> Self {
        Self {
            ping_after: FOREVER,
            first_within: pong_within,
            pong_within,
            last_frame: Instant::now(),
            pinged: None,
            is_asked: false,
            is_extended: false,
            alarm: Box::pin(sleep(FOREVER)),
        }
    }

    /// Begins with a connection.
    pub(super) fn begin(&mut self, ping_after: Duration) {
        self.ping_after = ping_after;
        self.last_frame = Instant::now();
        self.pinged = None;
        self.is_asked = false;
        self.alarm.as_mut().reset(self.last_frame + ping_after);
    }

    /// Records that a frame was received.
    pub(super) fn record_frame(&mut self) {
        self.last_frame = Instant::now();
        if self.pinged.take().is_some() {
            // Only the answer to a ping shows that the time limit suffices. Frames before a slow one show nothing.
            self.pong_within = self.first_within;
            // The alarm is still set for the deadline of the pong, which may be later than the next ping.
            self.alarm.as_mut().reset(self.last_frame + self.ping_after);
        }
    }

    /// Asks for a ping at once, unless one is unanswered.
    pub(super) fn ask(&mut self) {
        self.is_asked = self.pinged.is_none();
    }

    /// Polls for the action that is due.
    pub(super) fn poll(&mut self, cx: &mut Task<'_>) -> Poll<HeartbeatAction> {
        if std::mem::take(&mut self.is_asked) {
            return Poll::Ready(self.ping());
        }
        loop {
            ready!(self.alarm.as_mut().poll(cx));
            let due = self.pinged.map_or(self.last_frame + self.ping_after, |pinged| {
                pinged + self.pong_within
            });
            let now = Instant::now();
            if due > now {
                self.alarm.as_mut().reset(due);
            } else if self.pinged.is_none() {
                return Poll::Ready(self.ping());
            } else if !self.is_extended && now > due + STOPPED_FOR {
                // The process was stopped, and has not yet read what arrived meanwhile.
                self.is_extended = true;
                self.pinged = Some(now);
            } else {
                let longest = LONGEST_PONG.max(self.first_within);
                self.pong_within = (self.pong_within * 2).min(longest);
                return Poll::Ready(HeartbeatAction::GiveUp);
            }
        }
    }

    fn ping(&mut self) -> HeartbeatAction {
        let now = Instant::now();
        self.pinged = Some(now);
        self.is_extended = false;
        self.alarm.as_mut().reset(now + self.pong_within);
        HeartbeatAction::Ping
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    const PONG_WITHIN: Duration = Duration::from_secs(5);

    /// Returns a heartbeat that has begun, with a ping after 25 s.
    fn begun() -> Heartbeat {
        let mut heartbeat = Heartbeat::new(PONG_WITHIN);
        heartbeat.begin(Duration::from_secs(25));
        heartbeat
    }

    async fn next(heartbeat: &mut Heartbeat) -> HeartbeatAction {
        poll_fn(|cx| heartbeat.poll(cx)).await
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_answered_with_a_ping_and_then_a_disconnect() {
        let start = Instant::now();
        let mut heartbeat = begun();
        assert_eq!(next(&mut heartbeat).await, HeartbeatAction::Ping);
        assert_eq!(start.elapsed().as_secs(), 25);
        heartbeat.record_frame();
        assert_eq!(next(&mut heartbeat).await, HeartbeatAction::Ping);
        assert_eq!(start.elapsed().as_secs(), 50);
        assert_eq!(next(&mut heartbeat).await, HeartbeatAction::GiveUp);
        assert_eq!(start.elapsed().as_secs(), 55);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_restarts_the_silence_timer_even_with_a_long_timeout() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(Duration::from_secs(60));
        heartbeat.begin(Duration::from_secs(5));
        for seconds in [5, 10, 15] {
            assert_eq!(next(&mut heartbeat).await, HeartbeatAction::Ping);
            assert_eq!(start.elapsed().as_secs(), seconds);
            heartbeat.record_frame();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_for_an_answer_doubles_with_each_silent_break_until_an_answer_comes() {
        let mut heartbeat = begun();
        let mut waits = Vec::new();
        for _ in 0..6 {
            heartbeat.begin(Duration::from_secs(25));
            // A frame before the ping shows nothing about the answers to pings.
            heartbeat.record_frame();
            assert_eq!(next(&mut heartbeat).await, HeartbeatAction::Ping);
            let pinged = Instant::now();
            assert_eq!(next(&mut heartbeat).await, HeartbeatAction::GiveUp);
            waits.push(pinged.elapsed().as_secs());
        }
        assert_eq!(waits, [5, 10, 20, 40, 60, 60]);
        heartbeat.begin(Duration::from_secs(25));
        assert_eq!(next(&mut heartbeat).await, HeartbeatAction::Ping);
        heartbeat.record_frame();
        assert_eq!(next(&mut heartbeat).await, HeartbeatAction::Ping);
        let pinged = Instant::now();
        assert_eq!(next(&mut heartbeat).await, HeartbeatAction::GiveUp);
        assert_eq!(pinged.elapsed(), PONG_WITHIN);
    }

    #[tokio::test(start_paused = true)]
    async fn a_ping_that_is_asked_for_is_due_at_once_and_only_one_is_unanswered() {
        let start = Instant::now();
        let mut heartbeat = begun();
        heartbeat.ask();
        assert_eq!(next(&mut heartbeat).await, HeartbeatAction::Ping);
        heartbeat.ask();
        assert_eq!(start.elapsed().as_secs(), 0);
        assert_eq!(next(&mut heartbeat).await, HeartbeatAction::GiveUp);
        assert_eq!(start.elapsed(), PONG_WITHIN);
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_was_stopped_waits_once_more() {
        let mut heartbeat = begun();
        assert_eq!(next(&mut heartbeat).await, HeartbeatAction::Ping);
        tokio::time::advance(Duration::from_secs(600)).await;
        let continued = Instant::now();
        assert_eq!(next(&mut heartbeat).await, HeartbeatAction::GiveUp);
        assert_eq!(continued.elapsed(), PONG_WITHIN);
    }
}
