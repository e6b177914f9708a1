use std::any::TypeId;

use serde::Serialize;

use super::state::MessageState;
use crate::{
    effect::Effect,
    error::{Code, Error},
    protocol::RawPayload,
};

/// Success: the answer, and the effects beyond it.
#[derive(Debug)]
pub struct Reply {
    /// The handler's answer; absent where it returns `()`.
    pub answer: RawPayload,
    /// Effects that are still to be performed. Empty where a passing [`FanoutLayer`](crate::FanoutLayer) has performed
    /// them. A middleware that answers with another reply than the one that it got vetoes them.
    pub effects: Vec<Effect>,
    /// The state that the effects were noted in, so that effects that are noted later are not lost.
    pub(crate) state: Option<MessageState>,
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
            state: None,
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

/// The outcome of a message: never an `Err`, so that layers outside of [`RescueLayer`](crate::RescueLayer) see an answer
/// for every message.
#[derive(Debug)]
pub enum Outcome {
    /// The message was handled.
    Reply(Reply),
    /// It was refused.
    Refused(Error),
}

/// An answer as an observing layer sees it: inside of rescue a [`Reply`], outside an [`Outcome`].
pub trait Answer {
    /// The code of a refusal; none for success.
    fn refusal(&self) -> Option<Code>;

    /// The handler's answer; none for a refusal.
    fn payload(&self) -> Option<&RawPayload>;
}

impl Answer for Reply {
    fn refusal(&self) -> Option<Code> {
        None
    }

    fn payload(&self) -> Option<&RawPayload> {
        Some(&self.answer)
    }
}

impl Answer for Outcome {
    fn refusal(&self) -> Option<Code> {
        match self {
            Self::Reply(_) => None,
            Self::Refused(error) => Some(error.code()),
        }
    }

    fn payload(&self) -> Option<&RawPayload> {
        match self {
            Self::Reply(reply) => Some(&reply.answer),
            Self::Refused(_) => None,
        }
    }
}
