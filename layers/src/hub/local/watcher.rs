use std::{fmt, sync::Arc};

/// Learns which rooms of a [`LocalHub`](crate::LocalHub) have members. A hub between nodes subscribes to those on its
/// engine, and tells other nodes their sizes.
///
/// The methods are called while the name of the room is locked, so that they are called in the order of the events. They
/// must return soon, and must not call the hub.
pub trait RoomWatcher: fmt::Debug + Send + Sync + 'static {
    /// Called when a room gets its first member, before the member is in it.
    fn opened(&self, room: &Arc<str>);

    /// Called when a room has lost its last member.
    fn closed(&self, room: &str);

    /// Called after each change of the number of a room's members, the first and the last one included.
    fn resized(&self, room: &str);
}
