//! The server's sign of life.

use std::time::Duration;

use tokio::time::Instant;

/// Time that the answer of a ping may take. It doubles after each break in which no frame came.
const PONG_WITHIN: Duration = Duration::from_secs(5);
const LONGEST_PONG: Duration = Duration::from_secs(60);

/// The server's sign of life: any frame.
#[derive(Debug, Default)]
pub(super) struct Heartbeat {
    ping_after: Duration,
    last_frame: Option<Instant>,
    pinged: Option<Instant>,
    /// Breaks in a row in which no frame came.
    silent_breaks: u32,
}

/// State of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Alive,
    /// A ping has to be sent.
    Asked,
    /// A ping was not answered in time.
    Silent,
}

impl Heartbeat {
    /// Begins with a connection. A ping is sent after this time of silence.
    pub(super) const fn begin(&mut self, ping_after: Duration, now: Instant) {
        self.ping_after = ping_after;
        self.last_frame = Some(now);
        self.pinged = None;
    }

    /// Records a frame.
    pub(super) const fn hear(&mut self, now: Instant) {
        self.last_frame = Some(now);
        self.pinged = None;
        self.silent_breaks = 0;
    }

    /// Records the end of a connection.
    pub(super) const fn break_off(&mut self) {
        if self.pinged.is_some() {
            self.silent_breaks += 1;
        }
    }

    pub(super) const fn ping_after(&self) -> Duration {
        self.ping_after
    }

    /// Returns the next time at which [`check`](Self::check) may return something else.
    pub(super) fn deadline(&self, now: Instant) -> Instant {
        match self.pinged {
            Some(pinged) => pinged + self.pong_within(),
            None => self.last_frame.unwrap_or(now) + self.ping_after,
        }
    }

    fn pong_within(&self) -> Duration {
        (PONG_WITHIN * 2_u32.pow(self.silent_breaks.min(4))).min(LONGEST_PONG)
    }

    /// Returns the state of the server.
    pub(super) fn check(&mut self, now: Instant) -> Life {
        if now < self.deadline(now) {
            return Life::Alive;
        }
        if self.pinged.is_some() {
            return Life::Silent;
        }
        self.pinged = Some(now);
        Life::Asked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PING_AFTER: Duration = Duration::from_secs(25);

    #[test]
    fn a_silent_server_is_asked_once_and_then_given_up() {
        let (mut heartbeat, began) = (Heartbeat::default(), Instant::now());
        heartbeat.begin(PING_AFTER, began);
        assert_eq!(heartbeat.check(began), Life::Alive);
        let asked = began + PING_AFTER;
        assert_eq!(heartbeat.check(asked), Life::Asked);
        assert_eq!(heartbeat.check(asked), Life::Alive);
        assert_eq!(heartbeat.check(asked + PONG_WITHIN), Life::Silent);
        heartbeat.hear(asked);
        assert_eq!(heartbeat.check(asked + PONG_WITHIN), Life::Alive);
    }

    #[test]
    fn an_answer_may_take_longer_after_each_silent_break() {
        let (mut heartbeat, now) = (Heartbeat::default(), Instant::now());
        let mut waits = Vec::new();
        for _ in 0..6 {
            heartbeat.begin(PING_AFTER, now);
            let asked = now + PING_AFTER;
            assert_eq!(heartbeat.check(asked), Life::Asked);
            waits.push((heartbeat.deadline(asked) - asked).as_secs());
            heartbeat.break_off();
        }
        assert_eq!(waits, [5, 10, 20, 40, 60, 60]);
    }
}
