//! The course of one connection through the proxy.

use std::time::Duration;

use crate::testing::sim::chance::Chance;

/// The end of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) enum Break {
    /// Both sides receive a FIN.
    Finish,
    /// Both sides receive a RST.
    Reset,
    /// One side receives a FIN, and the other one is carried on for a time.
    HalfClose { to_server: bool, then: Duration },
    /// One or both sides receive nothing more, for a time.
    Swallow {
        to_server: bool,
        to_client: bool,
        then: Duration,
    },
}

/// Everything that happens to a connection.
pub(super) struct Plan {
    pub(super) breaks: Break,
    /// Time after which it breaks, if no position has been reached.
    pub(super) after: Duration,
    pub(super) to_server: Course,
    pub(super) to_client: Course,
}

/// The course of one direction.
pub(super) struct Course {
    /// Bytes until the break. `None` for none.
    left: Option<(usize, Break)>,
    /// Bytes that are carried at once, at most.
    chunk: usize,
    /// Longest delay of a chunk. Most are not delayed.
    delay: Duration,
    chance: Option<Chance>,
    pub(super) swallows: bool,
}

/// Longest time until a connection breaks.
const LIFE: Duration = Duration::from_secs(3);
/// Bytes of a handshake, about.
const HANDSHAKE: u64 = 700;

impl Plan {
    /// Returns the course of a connection that does not break.
    pub(super) fn calm() -> Self {
        let course = || Course {
            left: None,
            chunk: usize::MAX,
            delay: Duration::ZERO,
            chance: None,
            swallows: false,
        };
        Self {
            breaks: Break::Finish,
            after: Duration::from_secs(24 * 60 * 60),
            to_server: course(),
            to_client: course(),
        }
    }

    /// Returns a course that breaks: some in the handshake, some at a byte behind it, some at a time.
    pub(super) fn random(chance: &Chance) -> Self {
        let breaks = Break::random(chance);
        let course = |left: Option<usize>| Course {
            left: left.map(|left| (left, breaks)),
            chunk: match chance.below(4) {
                0 => 1 + below(chance, 50),
                _ => usize::MAX,
            },
            delay: match chance.below(4) {
                0 => chance.time(Duration::from_millis(400)),
                _ => Duration::ZERO,
            },
            chance: Some(chance.clone()),
            swallows: false,
        };
        let position = || match chance.below(8) {
            0 => Some(below(chance, HANDSHAKE)),
            1 | 2 => Some(below(chance, 30_000)),
            _ => None,
        };
        let (to_server, to_client) = (position(), position());
        Self {
            breaks,
            after: chance.time(LIFE),
            to_server: course(to_server),
            to_client: course(to_client),
        }
    }
}

impl Break {
    fn random(chance: &Chance) -> Self {
        let then = chance.time(Duration::from_secs(15));
        match chance.below(8) {
            0..=2 => Self::Finish,
            3..=5 => Self::Reset,
            6 => Self::HalfClose {
                to_server: chance.one_in(2),
                then,
            },
            _ => {
                let which = chance.below(3);
                Self::Swallow {
                    to_server: which != 0,
                    to_client: which != 1,
                    then,
                }
            }
        }
    }
}

impl Course {
    /// Returns the number of bytes that may be read at once.
    pub(super) fn next_chunk(&self, most: usize) -> usize {
        let left = self.left.map_or(usize::MAX, |(left, _)| left);
        most.min(self.chunk).min(left.max(1))
    }

    /// Returns the time that the next bytes are held up.
    pub(super) fn delay(&self) -> Duration {
        match &self.chance {
            Some(chance) if !self.delay.is_zero() && chance.one_in(20) => chance.time(self.delay),
            _ => Duration::ZERO,
        }
    }

    /// Records bytes that were carried. Returns the break if its position is reached.
    pub(super) fn advance(&mut self, bytes: usize) -> Option<Break> {
        let (left, how) = self.left.as_mut()?;
        *left = left.saturating_sub(bytes);
        (*left == 0).then_some(*how)
    }
}

fn below(chance: &Chance, end: u64) -> usize {
    usize::try_from(chance.below(end)).unwrap_or(usize::MAX)
}
