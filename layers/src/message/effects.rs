use std::sync::Arc;

use futures_util::FutureExt;

use super::summary::Summary;
use crate::{
    effect::{Effect, EffectObserver},
    error::Error,
    hub::{SharedTicket, Ticket},
};

/// Effects of a message, as its state holds them under a lock.
pub(super) struct Effects {
    pub(super) mode: Mode,
    /// The first failure that no flush has reported yet.
    pub(super) failure: Option<Error>,
    /// Effects that are not in effect yet. Shared, so that a flush that is given up loses none.
    pub(super) pending: Vec<SharedTicket>,
    /// Sees the effects that the hub has taken.
    pub(super) observer: Option<Arc<dyn EffectObserver>>,
}

/// Treatment of the effects that a message notes.
pub(super) enum Mode {
    /// Effects wait.
    Holding(Vec<Effect>),
    /// Effects are performed as they are noted.
    Passing,
    /// The message failed: effects are dropped, and logged.
    Dropping,
}

impl Effects {
    /// The effects of a state whose summary was this one.
    pub(super) const fn for_summary(summary: Summary) -> Self {
        Self {
            mode: match summary {
                Summary::Passing => Mode::Passing,
                Summary::Fresh | Summary::Locked => Mode::Holding(Vec::new()),
            },
            failure: None,
            pending: Vec::new(),
            observer: None,
        }
    }

    /// Adds an effect that is pending. Those that have resolved go: a context outside of a message, which nobody waits
    /// for, would else gather them without bound.
    pub(super) fn add_pending(&mut self, ticket: Ticket) {
        let failure = &mut self.failure;
        self.pending
            .retain(|pending| match pending.clone().now_or_never() {
                None => true,
                Some(Ok(())) => false,
                Some(Err(full)) => {
                    failure.get_or_insert_with(|| full.into());
                    false
                }
            });
        self.pending.push(ticket.shared());
    }
}
