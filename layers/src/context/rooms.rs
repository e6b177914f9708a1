use std::sync::Arc;

use crate::{
    client_id::ClientId,
    effect::{Effect, Target},
    error::Error,
    hub::Full,
    message::MessageState,
};

/// The rooms of the client whose message this is. What is joined and left here is seen here at once, and takes
/// effect in order with what is sent. (What is done to clients by [`Context::clients`](crate::Context::clients) is
/// seen here when it has been done.)
#[derive(Debug, Clone, Copy)]
pub struct Rooms<'a> {
    pub(super) state: &'a MessageState,
}

impl Rooms<'_> {
    /// Enters a room, which begins to exist with its first member. To be in it already is no error.
    ///
    /// # Errors
    /// BAD_REQUEST for a name of more than [`Limits::room_name`](crate::Limits::room_name) bytes,
    /// PRECONDITION_FAILED for one room more than [`Limits::rooms`](crate::Limits::rooms).
    pub fn join(&self, room: impl Into<Arc<str>>) -> Result<(), Error> {
        let room = room.into();
        let limits = self.state.connection().limits();
        Full::check_room_name(&room, limits.room_name)?;
        // Where effects wait, the hub can't be asked yet.
        if self.state.is_holding() && !self.has(&room) && self.current().len() >= limits.rooms {
            return Err(Full::Rooms { limit: limits.rooms }.into());
        }
        Ok(self.state.note(Effect::Join(room))?)
    }

    /// Leaves a room. Not to be in it is no error.
    pub fn leave(&self, room: impl Into<Arc<str>>) {
        self.state.note_or_fail(Effect::Leave(room.into()));
    }

    /// Whether the client is in a room.
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

    /// The rooms that the client is in, in no order.
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

    /// The clients in any room, in no order. An unknown room has none.
    pub async fn members(&self, room: &str) -> Vec<ClientId> {
        let mut members = self
            .state
            .connection()
            .hub()
            .clients(&Target::room(room))
            .await
            .value;
        let client = self.state.connection().client_id();
        // What waits here is seen here.
        if self.state.is_holding() {
            members.retain(|member| *member != client);
            if self.has(room) {
                members.push(client);
            }
        }
        members
    }

    /// How many clients are in any room. An unknown room has none.
    pub async fn size(&self, room: &str) -> usize {
        if self.state.is_holding() {
            return self.members(room).await.len();
        }
        self.state.connection().hub().size(room).await.value
    }
}
