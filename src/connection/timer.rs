//! The one timer of a connection.

use std::{
    pin::Pin,
    task::{Context as Task, Poll},
    time::Instant,
};

use tokio::time::{Sleep, sleep_until};

use super::{
    budget::poll_without_budget,
    session::{DueAction, Session},
};

/// Wakes the driver at the session's deadlines. It is not reset when a deadline becomes later, as with every frame that
/// is received. When it fires, it is reset to the session's current deadline.
pub(super) struct Timer {
    sleep: Pin<Box<Sleep>>,
    /// True if the timer was set since its last poll, so that it has no waker yet.
    is_set: bool,
}

/// Returns the time of tokio's clock, which a test can pause.
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

    /// Resets the timer to the session's deadline, if that has become earlier.
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

    /// Polls for an action that is due. Ready once a deadline has passed. The timer has no budget, because one that is
    /// pending for lack of budget has no waker.
    pub(super) fn poll(&mut self, session: &mut Session, cx: &mut Task<'_>) -> Poll<DueAction> {
        // A poll costs ten times as much as `is_elapsed`.
        if !std::mem::take(&mut self.is_set) && !self.sleep.is_elapsed() {
            return Poll::Pending;
        }
        while poll_without_budget(cx, |cx| self.sleep.as_mut().poll(cx)).is_ready() {
            if let Some(action) = session.take_due(now()) {
                return Poll::Ready(action);
            }
            self.sleep.as_mut().reset(session.deadline().into());
        }
        Poll::Pending
    }
}
