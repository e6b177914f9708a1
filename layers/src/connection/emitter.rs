use std::{borrow::Cow, fmt, sync::Arc};

use super::declared::Declared;
use crate::{
    client_id::ClientId,
    effect::{Action, Close, Effect, Event, Except, Outgoing, RoomName, Target},
    error::Error,
    hub::{Full, Hub, Performed},
    limits::Limits,
};

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
        Sending::new(self, self.encode(&event))
    }

    /// Clients to do something to, or to list: `emitter.clients(Target::room("lobby")).disconnect(4001, "closing")`.
    pub fn clients(&self, clients: impl Into<Target>) -> Clients<&Self> {
        Clients::new(self, self, clients.into())
    }

    /// The clients in a room, in no order. An unknown room has none. Where a hub gathers them from other nodes,
    /// [`Hub::clients`] says whether all have answered.
    pub async fn members(&self, room: &str) -> Vec<ClientId> {
        self.hub.clients(&Target::room(room)).await.value
    }

    /// The number of clients in a room; 0 for an unknown room. Where a hub gathers it from other nodes, [`Hub::size`]
    /// says whether all have answered.
    pub async fn size(&self, room: &str) -> usize {
        self.hub.size(room).await.value
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
    by: B,
    event: Result<Event, Error>,
    except: Option<Arc<Except>>,
}

impl<B: SendBy> Sending<B> {
    pub(crate) fn new(by: B, event: Result<Event, Error>) -> Self {
        Self {
            by,
            event,
            except: None,
        }
    }

    /// Leaves out these clients, whatever the receivers: `cx.send(e).except([cx.client_id()]).to_room("lobby")`.
    pub fn except(mut self, clients: impl IntoIterator<Item = ClientId>) -> Self {
        Except::of(&mut self.except).clients.extend(clients);
        self
    }

    /// Leaves out the members of these rooms at the time of sending. (A client that enters or leaves such a room meanwhile
    /// may get it or not.)
    pub fn except_rooms<R: Into<RoomName>>(mut self, rooms: impl IntoIterator<Item = R>) -> Self {
        let rooms = rooms.into_iter().map(|room| room.into().into_shared());
        Except::of(&mut self.except).rooms.extend(rooms);
        self
    }

    /// Sends it to these clients. An id that is named twice gets it once, an unknown one is a no-op.
    pub fn to(self, clients: impl IntoIterator<Item = ClientId>) -> B::Output {
        self.go(Target::clients(clients))
    }

    /// To the members of a room, which the sender need not be.
    pub fn to_room(self, room: impl Into<RoomName>) -> B::Output {
        self.go(Target::room(room))
    }

    /// To the members of these rooms; who is in several of them gets it once.
    pub fn to_rooms<R: Into<RoomName>>(self, rooms: impl IntoIterator<Item = R>) -> B::Output {
        self.go(Target::rooms(rooms))
    }

    /// To every connected client.
    pub fn broadcast(self) -> B::Output {
        self.go(Target::everyone())
    }

    fn go(self, mut to: Target) -> B::Output {
        to.except = self.except;
        self.by
            .send_by(self.event.map(|event| Effect::Emit { to, event }))
    }
}

/// Clients to do something to: let them into a room or out of one, or disconnect them; or, by an [`Emitter`], to be
/// listed. Made by [`Context::clients`](crate::Context::clients) and [`Emitter::clients`].
///
/// Unlike sending, this costs the caller something for each of them.
#[must_use = "nothing is done to them until you say what: `.join(room)`, `.leave(room)`, `.disconnect(code, reason)`"]
#[derive(Debug)]
pub struct Clients<B> {
    by: B,
    /// Bytes that a room's name may have.
    room_name: usize,
    clients: Target,
}

impl<B: SendBy> Clients<B> {
    pub(crate) fn new(by: B, emitter: &Emitter, clients: Target) -> Self {
        Self {
            by,
            room_name: emitter.limits.room_name,
            clients,
        }
    }

    /// Leaves out these clients.
    pub fn except(mut self, clients: impl IntoIterator<Item = ClientId>) -> Self {
        self.clients = self.clients.except(clients);
        self
    }

    /// Leaves out the members of these rooms.
    pub fn except_rooms<R: Into<RoomName>>(mut self, rooms: impl IntoIterator<Item = R>) -> Self {
        self.clients = self.clients.except_rooms(rooms);
        self
    }

    /// Lets them enter a room. It is refused for a name that is too long (BAD_REQUEST), and where one of them is in as many
    /// rooms as its limit allows (PRECONDITION_FAILED), though the others enter.
    pub fn join(self, room: impl Into<RoomName>) -> B::Output {
        let room = room.into().into_shared();
        let named = Full::check_room_name(&room, self.room_name);
        self.manage(named.map(|()| Action::Join(room)).map_err(Into::into))
    }

    /// Lets them leave a room.
    pub fn leave(self, room: impl Into<RoomName>) -> B::Output {
        self.manage(Ok(Action::Leave(room.into().into_shared())))
    }

    /// Closes their connections, after the events that were sent before. Codes 4000 to 4999 are the app's own, and our
    /// clients do not reconnect after them; 3000 to 3499 mean "reconnect", 3500 to 3999 "do not".
    pub fn disconnect(self, code: u16, reason: impl Into<Cow<'static, str>>) -> B::Output {
        self.manage(Ok(Action::Disconnect(Close::new(code, reason))))
    }

    fn manage(self, action: Result<Action, Error>) -> B::Output {
        let Self { by, clients, .. } = self;
        by.send_by(action.map(|action| Effect::Manage { clients, action }))
    }
}

impl Clients<&Emitter> {
    /// Their ids, in no order. Where a hub gathers them from other nodes, [`Hub::clients`] says whether all have answered.
    pub async fn ids(self) -> Vec<ClientId> {
        self.by.hub.clients(&self.clients).await.value
    }
}

/// The way of an effect to the hub: from inside a message, or from outside.
pub trait SendBy {
    /// The result that the sender gets at once.
    type Output;

    /// Sends what was encoded, or deals with what could not be.
    fn send_by(self, emission: Result<Effect, Error>) -> Self::Output;
}

/// From outside of a message: a refusal of the hub is returned at once. An effect that is pending goes on by itself;
/// [`Hub::flush`] waits for it.
impl SendBy for &Emitter {
    type Output = Result<(), Error>;

    fn send_by(self, emission: Result<Effect, Error>) -> Self::Output {
        match self.hub.perform(None, emission?)? {
            Performed::Done | Performed::Pending(_) => Ok(()),
        }
    }
}
