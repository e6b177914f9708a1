use std::sync::Arc;

use crate::{
    client_id::ClientId,
    effect::{Effect, RoomName, Target},
    error::Error,
    hub::Full,
    message::MessageState,
};

/// Handle to the rooms of the client that sent the message: joins, leaves and lists them.
///
/// [`has`](Self::has) and [`current`](Self::current) include a join or leave of this message as soon as the hub has
/// applied it. [`LocalHub`](crate::LocalHub) applies it at once. With a hub that answers later, call
/// [`Context::flush`](crate::Context::flush) first. Under `.atomic()`, joins and leaves that are held are included too.
///
/// Joins and leaves keep their order with the events that are sent. Actions of
/// [`Context::clients`](crate::Context::clients) are included once the hub has applied them.
#[derive(Debug, Clone, Copy)]
pub struct Rooms<'a> {
    pub(super) state: &'a MessageState,
}

impl Rooms<'_> {
    /// Enters a room. The first member creates it. Joining a second time has no effect.
    ///
    /// # Errors
    /// BAD_REQUEST for a name of more than [`Limits::room_name`](crate::Limits::room_name) bytes,
    /// PRECONDITION_FAILED for one room more than [`Limits::rooms`](crate::Limits::rooms).
    pub fn join(&self, room: impl Into<RoomName>) -> Result<(), Error> {
        let room = room.into().into_shared();
        let limits = self.state.connection().limits();
        Full::check_room_name(&room, limits.room_name)?;
        // Held effects are unknown to the hub, so the limit is checked here.
        if self.state.is_holding() && !self.has(&room) && self.current().len() >= limits.rooms {
            return Err(Full::Rooms { limit: limits.rooms }.into());
        }
        Ok(self.state.record(Effect::Join(room))?)
    }

    /// Leaves a room. Has no effect if the client is not in the room.
    pub fn leave(&self, room: impl Into<RoomName>) {
        self.state
            .record_or_fail(Effect::Leave(room.into().into_shared()));
    }

    /// Returns true if the client is in this room. A join counts once the hub has applied it (with a hub that answers
    /// later, after [`Context::flush`](crate::Context::flush)), or if it is held.
    #[must_use]
    pub fn has(&self, room: &str) -> bool {
        let noted = self.state.with_held(|effects| {
            effects.iter().rev().find_map(|effect| match effect {
                Effect::Join(joined) if **joined == *room => Some(true),
                Effect::Leave(left) if **left == *room => Some(false),
                _ => None,
            })
        });
        noted.unwrap_or_else(|| {
            self.state
                .connection()
                .hub()
                .has(&self.state.connection().client_id(), room)
        })
    }

    /// Returns the rooms that the client is in, in no order. Joins count as for [`has`](Self::has).
    #[must_use]
    pub fn current(&self) -> Vec<Arc<str>> {
        let mut rooms = self
            .state
            .connection()
            .hub()
            .rooms(&self.state.connection().client_id());
        self.state.with_held(|effects| {
            for effect in effects {
                match effect {
                    Effect::Join(joined) if !rooms.contains(joined) => rooms.push(joined.clone()),
                    Effect::Leave(left) => rooms.retain(|room| room != left),
                    _ => {}
                }
            }
        });
        rooms
    }

    /// Returns the clients in a room, in no order. This client need not be one of them. An unknown room has none. With a hub
    /// that spans several nodes it asks the others, and waits for up to a second. [`Hub::clients`](crate::hub::Hub::clients)
    /// also names the nodes that have not answered.
    pub async fn members(&self, room: &str) -> Vec<ClientId> {
        let mut members = self
            .state
            .connection()
            .hub()
            .clients(&Target::room(room))
            .await
            .value;
        let client = self.state.connection().client_id();
        // The hub does not know the effects that are held here, so this client's are applied to the list.
        if self.state.is_holding() {
            members.retain(|member| *member != client);
            if self.has(room) {
                members.push(client);
            }
        }
        members
    }

    /// Returns the number of clients in a room. This client need not be one of them. An unknown room has none. This
    /// client's join counts as for [`has`](Self::has). With a hub that spans several nodes the number may be some seconds
    /// old, so that members who join on two nodes at the same time both pass a limit that is checked by it.
    pub async fn size(&self, room: &str) -> usize {
        if self.state.is_holding() {
            return self.members(room).await.len();
        }
        self.state.connection().hub().size(room).await.value
    }
}
