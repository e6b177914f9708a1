use std::{borrow::Cow, fmt, sync::Arc};

use super::declared::Declared;
use crate::{
    client_id::ClientId,
    effect::{Action, Close, Effect, Event, Except, Outgoing, RoomName, Target},
    error::Error,
    hub::{Full, Hub, Performed},
    limits::Limits,
};

/// Sender of events outside of any message: for timers, queue consumers, HTTP handlers. Cheap to clone.
#[derive(Clone)]
pub struct Emitter {
    hub: Arc<dyn Hub>,
    declared: Declared,
    limits: Arc<Limits>,
}

impl Emitter {
    /// Creates an emitter that sends events of `declared` through `hub`.
    pub fn new(hub: Arc<dyn Hub>, declared: Declared, limits: Arc<Limits>) -> Self {
        Self {
            hub,
            declared,
            limits,
        }
    }

    /// Encodes an event. The method called on the result selects its receivers.
    pub fn send<O: Outgoing>(&self, event: O) -> Sending<&Self> {
        Sending::new(self, self.encode(&event))
    }

    /// Selects clients for an action or a list: `emitter.clients(Target::room("lobby")).disconnect(4001, "closing")`.
    pub fn clients(&self, clients: impl Into<Target>) -> Clients<&Self> {
        Clients::new(self, self, clients.into())
    }

    /// Returns the clients in a room, in no order. An unknown room has none. With a hub that gathers them from other
    /// nodes, [`Hub::clients`] also names the nodes that have not answered.
    pub async fn members(&self, room: &str) -> Vec<ClientId> {
        self.hub.clients(&Target::room(room)).await.value
    }

    /// Returns the number of clients in a room, 0 for an unknown room. With a hub that spans several nodes it may be some
    /// seconds old, and [`Hub::size`] also names the nodes that are not counted.
    pub async fn size(&self, room: &str) -> usize {
        self.hub.size(room).await.value
    }

    /// Returns the hub that the events are sent through.
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

/// An encoded event whose receivers are not selected yet.
#[must_use = "the event is not sent until it has a target: `.to(ids)`, `.to_room(room)`, `.to_rooms(rooms)`, `.broadcast()`"]
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

    /// Leaves out these clients: `cx.send(e).except([cx.client_id()]).to_room("lobby")`.
    pub fn except(mut self, clients: impl IntoIterator<Item = ClientId>) -> Self {
        Except::of(&mut self.except).clients.extend(clients);
        self
    }

    /// Leaves out the members of these rooms at the time of sending. A client that enters or leaves such a room at the
    /// same time may or may not receive the event.
    pub fn except_rooms<R: Into<RoomName>>(mut self, rooms: impl IntoIterator<Item = R>) -> Self {
        let rooms = rooms.into_iter().map(|room| room.into().into_shared());
        Except::of(&mut self.except).rooms.extend(rooms);
        self
    }

    /// Sends the event to these clients. A client that is named twice receives it once. An unknown id is ignored.
    pub fn to(self, clients: impl IntoIterator<Item = ClientId>) -> B::Output {
        self.go(Target::clients(clients))
    }

    /// Sends the event to the members of a room. The sender does not have to be a member.
    pub fn to_room(self, room: impl Into<RoomName>) -> B::Output {
        self.go(Target::room(room))
    }

    /// Sends the event to the members of these rooms. A member of several of them receives it once.
    pub fn to_rooms<R: Into<RoomName>>(self, rooms: impl IntoIterator<Item = R>) -> B::Output {
        self.go(Target::rooms(rooms))
    }

    /// Sends the event to every connected client.
    pub fn broadcast(self) -> B::Output {
        self.go(Target::everyone())
    }

    fn go(self, mut to: Target) -> B::Output {
        to.except = self.except;
        self.by
            .send_by(self.event.map(|event| Effect::Emit { to, event }))
    }
}

/// Selected clients, for an action: join a room, leave a room, disconnect. An [`Emitter`] can list them too. Returned
/// by [`Context::clients`](crate::Context::clients) and [`Emitter::clients`].
///
/// Unlike sending, an action costs the caller time for each client.
#[must_use = "nothing happens until an action is chosen: `.join(room)`, `.leave(room)`, `.disconnect(code, reason)`"]
#[derive(Debug)]
pub struct Clients<B> {
    by: B,
    /// Maximum length of a room's name, in bytes.
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

    /// Makes the clients enter a room. The action fails with BAD_REQUEST if the name is too long, and with
    /// PRECONDITION_FAILED if a client has reached its limit of rooms. In the second case the other clients enter
    /// nevertheless.
    pub fn join(self, room: impl Into<RoomName>) -> B::Output {
        let room = room.into().into_shared();
        let named = Full::check_room_name(&room, self.room_name);
        self.manage(named.map(|()| Action::Join(room)).map_err(Into::into))
    }

    /// Makes the clients leave a room.
    pub fn leave(self, room: impl Into<RoomName>) -> B::Output {
        self.manage(Ok(Action::Leave(room.into().into_shared())))
    }

    /// Closes the clients' connections, after the events that were sent before. Codes 4000 to 4999 belong to the app
    /// (RFC 6455, section 7.4.2), and Zocket's clients do not reconnect after them. Zocket's clients reconnect after
    /// 3000 to 3499, and do not after 3500 to 3999.
    pub fn disconnect(self, code: u16, reason: impl Into<Cow<'static, str>>) -> B::Output {
        self.manage(Ok(Action::Disconnect(Close::new(code, reason))))
    }

    fn manage(self, action: Result<Action, Error>) -> B::Output {
        let Self { by, clients, .. } = self;
        by.send_by(action.map(|action| Effect::Manage { clients, action }))
    }
}

impl Clients<&Emitter> {
    /// Returns the clients' ids, in no order. With a hub that gathers them from other nodes, [`Hub::clients`] also
    /// names the nodes that have not answered.
    pub async fn ids(self) -> Vec<ClientId> {
        self.by.hub.clients(&self.clients).await.value
    }
}

/// Sender of effects to the hub: a message, or an [`Emitter`] outside of messages.
pub trait SendBy {
    /// Result that the caller receives at once.
    type Output;

    /// Sends an effect. An `Err` stands for an effect that could not be created, and is reported like a refusal of the
    /// hub.
    fn send_by(self, emission: Result<Effect, Error>) -> Self::Output;
}

/// Sends from outside of a message, and returns a refusal of the hub at once. A pending effect completes in the
/// background. [`Hub::flush`] waits for it.
impl SendBy for &Emitter {
    type Output = Result<(), Error>;

    fn send_by(self, emission: Result<Effect, Error>) -> Self::Output {
        match self.hub.perform(None, emission?)? {
            Performed::Done | Performed::Pending(_) => Ok(()),
        }
    }
}
