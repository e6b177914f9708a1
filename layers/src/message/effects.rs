use std::sync::Arc;

use futures_util::FutureExt;

use super::summary::Summary;
use crate::{
    effect::{Effect, EffectObserver},
    error::Error,
    hub::{SharedTicket, Ticket},
};

/// Effects of a message. Its state keeps them behind a lock.
pub(super) struct Effects {
    pub(super) mode: Mode,
    /// The first failure that no flush has reported yet.
    pub(super) failure: Option<Error>,
    /// Tickets of effects that are still pending. Shared, so that a cancelled flush loses none.
    pub(super) pending: Vec<SharedTicket>,
    /// Called for each effect that the hub accepts.
    pub(super) observer: Option<Arc<dyn EffectObserver>>,
}

/// Treatment of the effects that a message records.
pub(super) enum Mode {
    /// Effects are held back until the message succeeds.
    Holding(Vec<Effect>),
    /// Effects are passed to the hub as they are recorded.
    Passing,
    /// The message has failed. Effects are logged and dropped.
    Dropping,
}

impl Effects {
    /// Creates the effects of a state whose summary was this one.
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

    /// Adds a pending effect, and removes those that have resolved. Without the removal, the effects of a context
    /// outside of any message would accumulate, since nothing waits for them.
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
