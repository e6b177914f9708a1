//! Messages: the requests and responses of the pipeline.

mod effects;
mod frame;
mod parts;
mod reply;
mod state;
mod summary;

use std::fmt;

pub(crate) use self::state::MessageState;
pub use self::{
    frame::{Frame, FrameResponse, MalformedFrame},
    parts::Parts,
    reply::{Answer, Outcome, Reply},
};
use crate::{
    connection::{Connection, Turn},
    protocol::{Head, Name, RawPayload},
};

/// A message on its way through the pipeline: its [`Parts`], the context that a stage gave it, and a payload.
///
/// [`ValidateLayer`](crate::ValidateLayer) turns a plain `Message` into a `Message<T>`, and
/// [`ContextLayer`](crate::ContextLayer) turns that into a `Message<T, Context<C>>`. Middleware that needs neither is
/// generic over both.
///
/// A clone, as a retry makes it, has effects of its own, beginning with what was noted so far: only the attempt
/// that succeeds has them performed. Parts and context of one message share them.
pub struct Message<P = RawPayload, C = ()> {
    parts: Parts,
    context: C,
    payload: P,
}

impl Message {
    /// A message without an id.
    pub fn new(connection: Connection, route: impl Into<Name>, payload: RawPayload) -> Self {
        let head = Head {
            route: route.into(),
            ..Head::default()
        };
        Self::of(MessageState::holding(connection, head), None, payload)
    }

    /// A message that came with the head in its state.
    fn of(state: MessageState, turn: Option<Turn>, payload: RawPayload) -> Self {
        Self {
            parts: Parts::new(state, turn),
            context: (),
            payload,
        }
    }
}

impl<P, C> Message<P, C> {
    /// The parts that every stage sees.
    #[must_use]
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// The parts that every stage sees, to be changed.
    pub fn parts_mut(&mut self) -> &mut Parts {
        &mut self.parts
    }

    /// The context: `()` before [`ContextLayer`](crate::ContextLayer), a [`Context`](crate::Context) after it.
    #[must_use]
    pub fn context(&self) -> &C {
        &self.context
    }

    /// The payload.
    #[must_use]
    pub fn payload(&self) -> &P {
        &self.payload
    }

    /// The same message with another payload.
    #[must_use]
    pub fn map_payload<Q>(self, f: impl FnOnce(P) -> Q) -> Message<Q, C> {
        Message {
            parts: self.parts,
            context: self.context,
            payload: f(self.payload),
        }
    }

    /// The same message with another context.
    #[must_use]
    pub fn map_context<D: BindEffects>(self, f: impl FnOnce(C) -> D) -> Message<P, D> {
        Message::from_parts(self.parts, f(self.context), self.payload)
    }

    /// Takes the message apart.
    #[must_use]
    pub fn into_parts(self) -> (Parts, C, P) {
        (self.parts, self.context, self.payload)
    }
}

impl<P, C: BindEffects> Message<P, C> {
    /// Puts a message together. The context's effects become those of the parts.
    #[must_use]
    pub fn from_parts(parts: Parts, mut context: C, payload: P) -> Self {
        context.bind(&parts);
        Self {
            parts,
            context,
            payload,
        }
    }
}

impl<P: Clone, C: BindEffects + Clone> Clone for Message<P, C> {
    fn clone(&self) -> Self {
        Self::from_parts(self.parts.fork(), self.context.clone(), self.payload.clone())
    }
}

impl<P: fmt::Debug, C: fmt::Debug> fmt::Debug for Message<P, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("parts", &self.parts)
            .field("context", &self.context)
            .field("payload", &self.payload)
            .finish()
    }
}

/// A type that can be the context of a message: it shares the effects of the message, or has none.
///
/// A context of your own that holds a [`Context`](crate::Context) passes `bind` on to it.
pub trait BindEffects {
    /// Notes effects with those of the parts' message from now on.
    fn bind(&mut self, parts: &Parts);
}

impl BindEffects for () {
    fn bind(&mut self, _: &Parts) {}
}
