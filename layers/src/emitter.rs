//! Sending to clients, to rooms, to everyone.

use std::{fmt, sync::Arc};

use crate::{ClientId, Declared, Effect, Error, Event, Hub, Limits, Outgoing, Target};

/// Sends from outside of a message: from a timer, a queue's consumer, an HTTP handler. Cheap to clone.
#[derive(Clone)]
pub struct Emitter {
    hub: Arc<dyn Hub>,
    declared: Declared,
    limits: Arc<Limits>,
}

impl Emitter {
    /// An emitter by way of `hub` for what `declared` declares.
    pub fn new(hub: Arc<dyn Hub>, declared: Declared, limits: Arc<Limits>) -> Self {
        Self {
            hub,
            declared,
            limits,
        }
    }

    /// Encodes an event; what is called on the result says who gets it.
    pub fn send<O: Outgoing>(&self, event: O) -> Sending<&Self> {
        Sending {
            by: self,
            event: self.encode(&event),
        }
    }

    /// The clients in a room, in no order. An unknown room has none.
    pub async fn members(&self, room: &str) -> Vec<ClientId> {
        self.hub.members(room).await
    }

    /// How many clients are in a room. An unknown room has none.
    pub async fn size(&self, room: &str) -> usize {
        self.hub.size(room).await
    }

    /// The hub behind it.
    #[must_use]
    pub fn hub(&self) -> &Arc<dyn Hub> {
        &self.hub
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn declared(&self) -> &Declared {
        &self.declared
    }

    pub(crate) fn encode<O: Outgoing>(&self, event: &O) -> Result<Event, Error> {
        self.declared.encode(event, self.limits.message)
    }
}

impl fmt::Debug for Emitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emitter")
            .field("hub", &self.hub)
            .finish_non_exhaustive()
    }
}

/// An encoded event that has no receivers yet.
#[must_use = "nobody gets it until you say who: `.to(ids)`, `.to_room(room)`, `.to_rooms(rooms)`, `.broadcast()`"]
#[derive(Debug)]
pub struct Sending<B> {
    pub(crate) by: B,
    pub(crate) event: Result<Event, Error>,
}

impl<B: SendBy> Sending<B> {
    /// To these clients. An id named twice gets it once, an unknown one is a no-op.
    pub fn to(self, clients: impl IntoIterator<Item = ClientId>) -> B::Output {
        self.go(Target::Clients(clients.into_iter().collect()))
    }

    /// To the members of a room, which the sender need not be.
    pub fn to_room(self, room: impl Into<Arc<str>>) -> B::Output {
        self.go(Target::Rooms(vec![room.into()]))
    }

    /// To the members of these rooms; who is in several of them gets it once.
    pub fn to_rooms<R: Into<Arc<str>>>(self, rooms: impl IntoIterator<Item = R>) -> B::Output {
        self.go(Target::Rooms(rooms.into_iter().map(Into::into).collect()))
    }

    /// To every connected client.
    pub fn broadcast(self) -> B::Output {
        self.go(Target::Everyone)
    }

    fn go(self, to: Target) -> B::Output {
        self.by
            .send_by(self.event.map(|event| Effect::Emit { to, event }))
    }
}

/// How an event gets to the hub: from inside a message, or from outside.
pub trait SendBy {
    /// What the sender learns at once.
    type Output;

    /// Sends what was encoded, or deals with what could not be.
    fn send_by(self, emission: Result<Effect, Error>) -> Self::Output;
}

/// From outside of a message: what the hub could not take is told at once.
impl SendBy for &Emitter {
    type Output = Result<(), Error>;

    fn send_by(self, emission: Result<Effect, Error>) -> Self::Output {
        self.hub.perform(None, emission?).map_err(Into::into)
    }
}
