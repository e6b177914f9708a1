use std::any::TypeId;

use serde::{Serialize, de::DeserializeOwned};

use super::state::MessageState;
use crate::{
    effect::{Effect, Outgoing},
    error::{Code, Error},
    protocol::{RawPayload, from_json},
};

/// Success: the answer, and the effects beyond it.
#[derive(Debug)]
pub struct Reply {
    /// The handler's answer; absent where it returns `()`.
    pub answer: RawPayload,
    /// Effects that have yet to be performed. Empty if a passing [`FanoutLayer`](crate::FanoutLayer) has performed
    /// them. A middleware that returns a different reply discards them.
    pub effects: Vec<Effect>,
    /// State that the effects were recorded in. [`FanoutLayer`](crate::FanoutLayer) finds effects there that are
    /// recorded after the handler's answer.
    pub(crate) state: Option<MessageState>,
}

impl Reply {
    /// Creates a reply without an answer and without effects.
    #[must_use]
    pub const fn empty() -> Self {
        Self::with_payload(RawPayload::absent())
    }

    /// Creates a reply with this answer and without effects.
    #[must_use]
    pub const fn with_payload(answer: RawPayload) -> Self {
        Self {
            answer,
            effects: Vec::new(),
            state: None,
        }
    }

    /// Creates a reply with this value as the answer. `()` gives no answer, which differs from null on the wire.
    ///
    /// # Errors
    /// INTERNAL_SERVER_ERROR if the value can't be encoded.
    pub fn of<R: Serialize + 'static>(value: &R) -> Result<Self, Error> {
        if TypeId::of::<R>() == TypeId::of::<()>() {
            return Ok(Self::empty());
        }
        RawPayload::of(value).map(Self::with_payload)
    }

    /// Parses the answer as a client does. `()` fits an absent one.
    ///
    /// ```
    /// # use zocket_layers::Reply;
    /// assert_eq!(Reply::of(&7)?.answer_as::<u8>()?, 7);
    /// Reply::empty().answer_as::<()>()?;
    /// assert!(Reply::of(&700)?.answer_as::<u8>().is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the answer does not fit the type.
    pub fn answer_as<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        from_json(self.answer.as_json())
    }

    /// Parses the events of the type `E` among the [`effects`](Self::effects), in the order in which they were sent.
    /// Events with another name are left out. A test of a procedure without a router compares them:
    ///
    /// ```
    /// use schemars::JsonSchema;
    /// use serde::{Deserialize, Serialize};
    /// use zocket_layers::{Effect, Event, Outgoing, Reply, Target};
    ///
    /// #[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
    /// struct Sold { cents: u64 }
    /// impl Outgoing for Sold { const TYPE: &'static str = "lot.sold"; }
    ///
    /// let mut reply = Reply::empty();
    /// let event = Event::of(&Sold { cents: 7 })?;
    /// reply.effects = vec![Effect::Emit { to: Target::everyone(), event }];
    /// assert_eq!(reply.events_as::<Sold>()?, [Sold { cents: 7 }]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// [`Event::payload_as`](crate::Event::payload_as) parses one event, whose [`Effect::Emit`] has the receivers.
    ///
    /// # Errors
    /// If the payload of an event with the name of `E` does not fit `E`.
    pub fn events_as<E: Outgoing + DeserializeOwned>(&self) -> Result<Vec<E>, serde_json::Error> {
        let events = self.effects.iter().filter_map(|effect| match effect {
            Effect::Emit { event, .. } => event.payload_as().transpose(),
            _ => None,
        });
        events.collect()
    }
}

/// Outcome of a message. A refusal is not an `Err` here, so that layers outside of [`RescueLayer`](crate::RescueLayer)
/// receive an answer for every message.
#[derive(Debug)]
pub enum Outcome {
    /// The message was handled.
    Reply(Reply),
    /// The message was refused.
    Refused(Error),
}

/// An answer that a layer can observe: a [`Reply`] inside of rescue, an [`Outcome`] outside.
pub trait Answer {
    /// Returns the code of a refusal, or none on success.
    fn refusal(&self) -> Option<Code>;

    /// Returns the handler's answer, or none for a refusal.
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
