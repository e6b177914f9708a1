//! What flows through the pipeline.

use std::fmt;

use http::Extensions;

use crate::{Connection, Name, RawPayload, RpcId, Turn, outbox::Outbox};

/// A message on its way through the pipeline: its [`Parts`], the context that a stage gave it, and a payload.
///
/// [`ValidateLayer`](crate::ValidateLayer) makes a `Message<T>` of a plain `Message`,
/// [`ContextLayer`](crate::ContextLayer) a `Message<T, Context<C>>` of that; a middleware that does not care
/// is generic over both.
///
/// A clone, as a retry makes it, has effects of its own, beginning with what was noted so far: only the attempt
/// that succeeds has them performed. Parts and context of one message share them.
pub struct Message<P = RawPayload, C = ()> {
    parts: Parts,
    context: C,
    payload: P,
}

impl Message {
    /// A message as it comes from the wire.
    pub fn new(connection: Connection, route: impl Into<Name>, payload: RawPayload) -> Self {
        let asked = Asked {
            route: route.into(),
            rpc_id: None,
        };
        Self::of(Outbox::holding(connection, asked), payload)
    }

    pub(crate) fn of(outbox: Outbox, payload: RawPayload) -> Self {
        let parts = Parts {
            extensions: Extensions::new(),
            changed: None,
            turn: None,
            outbox,
        };
        Self {
            parts,
            context: (),
            payload,
        }
    }
}

impl<P, C> Message<P, C> {
    /// What every stage knows of the message.
    #[must_use]
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// What every stage knows of the message, to change it.
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
    pub fn map_context<D: Scope>(self, f: impl FnOnce(C) -> D) -> Message<P, D> {
        Message::from_parts(self.parts, f(self.context), self.payload)
    }

    /// Takes the message apart.
    #[must_use]
    pub fn into_parts(self) -> (Parts, C, P) {
        (self.parts, self.context, self.payload)
    }
}

impl<P, C: Scope> Message<P, C> {
    /// Puts a message together. The context's effects become those of the parts.
    #[must_use]
    pub fn from_parts(parts: Parts, mut context: C, payload: P) -> Self {
        context.enter(&parts);
        Self {
            parts,
            context,
            payload,
        }
    }
}

impl<P: Clone, C: Scope + Clone> Clone for Message<P, C> {
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

/// What can stand as a message's context: it takes part in the message's effects, or has none.
///
/// A context of your own that holds a [`Context`](crate::Context) passes `enter` on to it.
pub trait Scope {
    /// Notes its effects, from now on, where the parts' message has them.
    fn enter(&mut self, parts: &Parts);
}

impl Scope for () {
    fn enter(&mut self, _: &Parts) {}
}

/// What every stage knows of a message.
#[derive(Debug)]
pub struct Parts {
    /// Whatever stages tell each other.
    pub extensions: Extensions,
    /// In place of what it came with.
    changed: Option<Box<Asked>>,
    turn: Option<Turn>,
    pub(crate) outbox: Outbox,
}

/// What a message asks for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    pub(crate) route: Name,
    pub(crate) rpc_id: Option<RpcId>,
}

impl Asked {
    pub(crate) fn is_short(&self) -> bool {
        self.route.is_short() && self.rpc_id.as_ref().is_none_or(RpcId::is_short)
    }
}

impl Parts {
    /// The dotted path that it asks for.
    #[must_use]
    pub fn route(&self) -> &Name {
        &self.asked().route
    }

    /// Has it ask for another route. Stages further outside keep what they know already.
    pub fn set_route(&mut self, route: impl Into<Name>) {
        self.asked_mut().route = route.into();
    }

    /// What its answer is recognised by; none where no answer is wanted.
    #[must_use]
    pub fn rpc_id(&self) -> Option<&RpcId> {
        self.asked().rpc_id.as_ref()
    }

    /// Gives it another id. The answer goes by the one that it came with.
    pub fn set_rpc_id(&mut self, rpc_id: Option<RpcId>) {
        self.asked_mut().rpc_id = rpc_id;
    }

    fn asked(&self) -> &Asked {
        self.changed.as_deref().unwrap_or_else(|| self.outbox.asked())
    }

    fn asked_mut(&mut self) -> &mut Asked {
        self.changed
            .get_or_insert_with(|| Box::new(self.outbox.asked().clone()))
    }

    pub(crate) fn take_turn(&mut self, turn: Turn) {
        self.turn = Some(turn);
    }

    /// Lets the connection's next message begin before the end of this one.
    pub fn give_up_turn(&self) {
        if let Some(turn) = self.turn {
            self.connection().turns().give_up(turn);
        }
    }

    /// The connection that it came by.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        self.outbox.connection()
    }

    /// The parts of one more attempt at the same message.
    pub(crate) fn fork(&self) -> Self {
        Self {
            extensions: self.extensions.clone(),
            changed: self.changed.clone(),
            turn: self.turn,
            outbox: self.outbox.fork(),
        }
    }
}
