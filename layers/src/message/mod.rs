//! Messages: the requests and responses of the pipeline.

mod effects;
mod frame;
mod incoming;
mod input_is;
mod parts;
mod reply;
mod state;
mod summary;

use std::fmt;

use serde::Serialize;

pub(crate) use self::state::MessageState;
pub use self::{
    frame::{Frame, FrameResponse, MalformedFrame},
    incoming::Incoming,
    input_is::InputIs,
    parts::Parts,
    reply::{Answer, Outcome, Reply},
};
use crate::{
    connection::{Connection, Turn},
    error::Error,
    protocol::{Head, Name, RawPayload},
};

/// A message in the pipeline: its [`Parts`], a context that a stage added, and a payload.
///
/// [`ValidateLayer`](crate::ValidateLayer) turns a plain `Message` into a `Message<T>`, and
/// [`ContextLayer`](crate::ContextLayer) turns that into a `Message<T, Context<C>>`. Middleware that needs neither type
/// is generic over both.
///
/// The parts and the context of a message share its effects. A clone, as a retry makes it, has its own, which start as
/// a copy of the held ones: of several attempts, only the effects of the one that succeeds are performed. Effects that
/// pass to the hub as they are recorded are not taken back.
pub struct Message<P = RawPayload, C = ()> {
    parts: Parts,
    context: C,
    payload: P,
}

impl Message {
    /// Creates a message without an id, which expects no answer.
    pub fn new(connection: Connection, route: impl Into<Name>, payload: RawPayload) -> Self {
        let head = Head {
            route: route.into(),
            ..Head::default()
        };
        Self::from_state(MessageState::holding(connection, head), None, payload)
    }

    /// Creates the message that a client sends as an `M`, without an id: with its route and its encoded payload.
    ///
    /// ```
    /// use serde::Serialize;
    /// use zocket_layers::{Connection, Incoming, Message};
    ///
    /// #[derive(Serialize)]
    /// struct Bid { cents: u64 }
    /// impl Incoming for Bid { const TYPE: &'static str = "lot.bid"; type Answer = (); }
    ///
    /// let message = Message::of(Connection::detached(()), &Bid { cents: 1_100 })?;
    /// assert_eq!(message.parts().route(), "lot.bid");
    /// assert_eq!(message.payload().as_json(), br#"{"cents":1100}"#);
    /// # Ok::<(), zocket_layers::Error>(())
    /// ```
    ///
    /// # Errors
    /// INTERNAL_SERVER_ERROR if the value can't be encoded.
    pub fn of<M>(connection: Connection, message: &M) -> Result<Self, Error>
    where
        M: Incoming + Serialize + ?Sized,
    {
        let payload = RawPayload::of(message)?;
        Ok(Self::new(connection, M::TYPE, payload))
    }

    /// Creates a message whose head is in its state.
    fn from_state(state: MessageState, turn: Option<Turn>, payload: RawPayload) -> Self {
        Self {
            parts: Parts::new(state, turn),
            context: (),
            payload,
        }
    }
}

impl<P, C> Message<P, C> {
    /// Returns the parts: route, id, connection, extensions.
    #[must_use]
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// Returns the parts for changes.
    pub fn parts_mut(&mut self) -> &mut Parts {
        &mut self.parts
    }

    /// Returns the context: `()` outside of [`ContextLayer`](crate::ContextLayer), a [`Context`](crate::Context)
    /// inside.
    #[must_use]
    pub fn context(&self) -> &C {
        &self.context
    }

    /// Returns the payload.
    #[must_use]
    pub fn payload(&self) -> &P {
        &self.payload
    }

    /// Converts the payload, and keeps parts and context.
    #[must_use]
    pub fn map_payload<Q>(self, f: impl FnOnce(P) -> Q) -> Message<Q, C> {
        Message {
            parts: self.parts,
            context: self.context,
            payload: f(self.payload),
        }
    }

    /// Converts the context, and keeps parts and payload. The new context records its effects with this message.
    #[must_use]
    pub fn map_context<D: BindEffects>(self, f: impl FnOnce(C) -> D) -> Message<P, D> {
        Message::from_parts(self.parts, f(self.context), self.payload)
    }

    /// Splits the message into parts, context and payload.
    #[must_use]
    pub fn into_parts(self) -> (Parts, C, P) {
        (self.parts, self.context, self.payload)
    }
}

impl<P, C: BindEffects> Message<P, C> {
    /// Creates a message from parts, context and payload. From now on the context records its effects in the state of
    /// the parts.
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

/// A type that can be the context of a message. It shares the message's effects, or has none.
///
/// If you write a context type that holds a [`Context`](crate::Context), call its `bind` from yours.
pub trait BindEffects {
    /// Makes this context record its effects with the message of the parts from now on.
    fn bind(&mut self, parts: &Parts);
}

impl BindEffects for () {
    fn bind(&mut self, _: &Parts) {}
}
