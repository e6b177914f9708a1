//! The one timer of a connection.

use std::{
    pin::Pin,
    task::{Context as Task, Poll},
    time::Instant,
};

use tokio::time::{Sleep, sleep_until};

use super::session::{DueAction, Session};

/// Wakes the driver at the session's deadlines. It is not reset when a deadline moves back, as at every sign of life: when
/// it fires, the session is asked for the deadline as it is then.
pub(super) struct Timer {
    sleep: Pin<Box<Sleep>>,
    /// The timer was set since it was last polled, so that it has no waker yet.
    is_set: bool,
}

/// The time of tokio's clock, which a test can pause.
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl Timer {
    pub(super) fn new(session: &Session) -> Self {
        Self {
            sleep: Box::pin(sleep_until(session.deadline().into())),
            is_set: true,
        }
    }

    /// Moves the timer forward, if the session's deadline has moved before it.
    pub(super) fn set_earlier(&mut self, session: &Session) {
        let deadline = session.deadline().into();
        if deadline < self.sleep.deadline() {
            self.set(deadline);
        }
    }

    fn set(&mut self, deadline: tokio::time::Instant) {
        self.sleep.as_mut().reset(deadline);
        self.is_set = true;
    }

    /// Ready when a deadline has come, with the action that it calls for.
    pub(super) fn poll(&mut self, session: &mut Session, cx: &mut Task<'_>) -> Poll<DueAction> {
        // To poll it costs ten times the question.
        if !std::mem::take(&mut self.is_set) && !self.sleep.is_elapsed() {
            return Poll::Pending;
        }
        while self.sleep.as_mut().poll(cx).is_ready() {
            if let Some(action) = session.take_due(now()) {
                return Poll::Ready(action);
            }
            self.sleep.as_mut().reset(session.deadline().into());
        }
        Poll::Pending
    }
}
