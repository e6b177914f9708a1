use std::sync::Arc;

use super::RoomName;
use crate::client_id::ClientId;

/// A set of clients: an audience, minus exceptions. A client that is named twice, or is in several of the rooms, counts
/// once. Unknown rooms and clients are ignored.
///
/// ```
/// use zocket_layers::{ClientId, Target};
///
/// let me = ClientId::random();
/// let others = Target::room("lobby").except([me]).except_rooms(["muted"]);
/// # drop(others);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Target {
    /// The clients that are included.
    pub audience: Audience,
    /// The clients that are left out. Shared, and usually none.
    pub except: Option<Arc<Except>>,
}

/// The clients that a [`Target`] includes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Audience {
    /// These clients.
    Clients(Vec<ClientId>),
    /// The members of these rooms.
    Rooms(Vec<Arc<str>>),
    /// Every connected client.
    Everyone,
}

/// Clients that are left out of an audience.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Except {
    /// These clients.
    pub clients: Vec<ClientId>,
    /// The members of these rooms at the time of sending.
    pub rooms: Vec<Arc<str>>,
}

impl Target {
    /// Targets these clients.
    pub fn clients(clients: impl IntoIterator<Item = ClientId>) -> Self {
        Audience::Clients(clients.into_iter().collect()).into()
    }

    /// Targets the members of a room.
    pub fn room(room: impl Into<RoomName>) -> Self {
        Audience::Rooms(vec![room.into().into_shared()]).into()
    }

    /// Targets the members of these rooms.
    pub fn rooms<R: Into<RoomName>>(rooms: impl IntoIterator<Item = R>) -> Self {
        Audience::Rooms(rooms.into_iter().map(|room| room.into().into_shared()).collect()).into()
    }

    /// Targets every connected client.
    #[must_use]
    pub fn everyone() -> Self {
        Audience::Everyone.into()
    }

    /// Leaves out these clients.
    #[must_use]
    pub fn except(mut self, clients: impl IntoIterator<Item = ClientId>) -> Self {
        Except::of(&mut self.except).clients.extend(clients);
        self
    }

    /// Leaves out the members of these rooms at the time of sending.
    #[must_use]
    pub fn except_rooms<R: Into<RoomName>>(mut self, rooms: impl IntoIterator<Item = R>) -> Self {
        let rooms = rooms.into_iter().map(|room| room.into().into_shared());
        Except::of(&mut self.except).rooms.extend(rooms);
        self
    }
}

/// Bytes that the name of a room takes beside its text: the pointer, the counts, and the allocator's rounding.
const ROOM_NAME: usize = 64;

impl Except {
    /// Returns the exceptions for additions. Creates them if there are none, and copies them if they are shared.
    pub(crate) fn of(except: &mut Option<Arc<Self>>) -> &mut Self {
        Arc::make_mut(except.get_or_insert_default())
    }

    /// Returns the bytes that the exceptions take. Those that a sender shares among several events count for each.
    pub(crate) fn footprint(&self) -> usize {
        let names = self.rooms.iter().map(|name| name.len() + ROOM_NAME);
        size_of::<Self>() + size_of_val(&*self.clients) + names.sum::<usize>()
    }

    /// Returns true if a client is left out. `is_in` returns true for a room that the client is in.
    pub(crate) fn covers(&self, client: &ClientId, is_in: impl Fn(&str) -> bool) -> bool {
        self.clients.contains(client) || self.rooms.iter().any(|room| is_in(room))
    }
}

impl From<Audience> for Target {
    fn from(audience: Audience) -> Self {
        Self {
            audience,
            except: None,
        }
    }
}

/// Targets one client.
impl From<ClientId> for Target {
    fn from(client: ClientId) -> Self {
        Self::clients([client])
    }
}

/// Targets these clients.
impl FromIterator<ClientId> for Target {
    fn from_iter<I: IntoIterator<Item = ClientId>>(clients: I) -> Self {
        Self::clients(clients)
    }
}
