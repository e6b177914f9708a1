//! What a message comes to.

use std::any::TypeId;

use serde::Serialize;

use crate::{Effect, Error, RawPayload, outbox::Outbox};

/// Success: the answer, and what is to be done beyond it.
#[derive(Debug)]
pub struct Reply {
    /// The handler's answer; absent where it returns `()`.
    pub answer: RawPayload,
    /// What the message still has to do. Empty where a passing [`FanoutLayer`](crate::FanoutLayer) had it done
    /// already. A middleware that answers with another reply than the one that it got vetoes them.
    pub effects: Vec<Effect>,
    /// Where the effects were noted, so that what is noted later is not lost.
    pub(crate) outbox: Option<Outbox>,
}

impl Reply {
    /// Success without an answer and without effects.
    #[must_use]
    pub const fn empty() -> Self {
        Self::with_payload(RawPayload::absent())
    }

    /// Success with this answer.
    #[must_use]
    pub const fn with_payload(answer: RawPayload) -> Self {
        Self {
            answer,
            effects: Vec::new(),
            outbox: None,
        }
    }

    /// Success with this value as the answer. `()` is no answer, which the wire tells from null.
    ///
    /// # Errors
    /// INTERNAL_SERVER_ERROR when the value can't be encoded.
    pub fn of<R: Serialize + 'static>(value: &R) -> Result<Self, Error> {
        if TypeId::of::<R>() == TypeId::of::<()>() {
            return Ok(Self::empty());
        }
        RawPayload::of(value).map(Self::with_payload)
    }
}

/// What the client is told: never an `Err`, so that whatever stands outside of
/// [`RescueLayer`](crate::RescueLayer) sees an answer for every message.
#[derive(Debug)]
pub enum Outcome {
    /// The message was handled.
    Reply(Reply),
    /// It was refused.
    Refused(Error),
}
