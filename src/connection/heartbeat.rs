//! Whether the peer is still there.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context as Task, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};
use zocket_layers::Limits;

/// Longer than any connection lives; `Duration::MAX` can't be added to an instant.
const EVER: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

fn after(instant: Instant, duration: Duration) -> Instant {
    instant + duration.min(EVER)
}

/// The one timer of a connection: it asks a silent peer for a sign of life, and gives up one that stays silent,
/// or a message that waits for readiness too long.
pub(super) struct Heartbeat {
    limits: Arc<Limits>,
    /// When the peer was last heard.
    heard: Instant,
    /// When it was asked for a sign of life, if it has not given one since.
    asked: Option<Instant>,
    /// Since when a message has been waiting for readiness.
    stalled: Option<Instant>,
    timer: Pin<Box<Sleep>>,
    /// It was set anew since it was last polled.
    is_set: bool,
}

/// What the timer calls for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beat {
    /// A ping.
    Ask,
    /// The peer is gone.
    Gone,
    /// A message has waited too long.
    Stalled,
}

impl Heartbeat {
    pub(super) fn new(limits: Arc<Limits>) -> Self {
        let heard = Instant::now();
        let timer = Box::pin(sleep_until(after(heard, limits.ping_after)));
        Self {
            limits,
            heard,
            asked: None,
            stalled: None,
            timer,
            is_set: true,
        }
    }

    /// The peer gave a sign of life; or nobody listens, and its silence says nothing.
    pub(super) fn hear(&mut self) {
        self.heard = Instant::now();
        self.asked = None;
    }

    /// Whether a message is waiting for readiness.
    pub(super) fn waits(&mut self, waits: bool) {
        if !waits {
            self.stalled = None;
        } else if self.stalled.is_none() {
            let now = Instant::now();
            self.stalled = Some(now);
            let deadline = after(now, self.limits.stall);
            if deadline < self.timer.deadline() {
                self.timer.as_mut().reset(deadline);
                self.is_set = true;
            }
        }
    }

    /// Ready when something is called for. The timer is not reset at every sign of life: when it fires, it looks at
    /// what has happened since.
    pub(super) fn poll(&mut self, cx: &mut Task<'_>) -> Poll<Beat> {
        // To poll it costs ten times the question.
        if !std::mem::take(&mut self.is_set) && !self.timer.is_elapsed() {
            return Poll::Pending;
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            let stall = self.stalled.map(|since| after(since, self.limits.stall));
            if stall.is_some_and(|deadline| deadline <= now) {
                return Poll::Ready(Beat::Stalled);
            }
            let silence = match self.asked {
                None => after(self.heard, self.limits.ping_after),
                Some(asked) => after(asked, self.limits.pong_within),
            };
            if silence > now {
                self.timer
                    .as_mut()
                    .reset(stall.map_or(silence, |stall| stall.min(silence)));
            } else if self.asked.is_some() {
                return Poll::Ready(Beat::Gone);
            } else {
                self.asked = Some(now);
                return Poll::Ready(Beat::Ask);
            }
        }
        Poll::Pending
    }
}
