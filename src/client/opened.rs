//! The information about a connection that has opened.

use zocket_layers::ClientId;

/// A connection that has opened, as [`Builder::on_open`](super::Builder::on_open) receives it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Opened {
    /// The client's id.
    pub client_id: ClientId,
    /// True if the session of the last connection goes on, with its id and its rooms: no event was lost, and the calls
    /// that were sent are answered. False for a new session, which has missed the events since the last connection.
    pub resumed: bool,
    /// The session that has ended since `on_open` ran last. `None` if none has.
    pub lost: Option<LostSession>,
}

/// A session that has ended, with its rooms and the events that the client had not received.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LostSession {
    /// The id that the client had.
    pub client_id: ClientId,
    /// Number of its calls whose answer is lost. The server may have handled them.
    pub calls: usize,
}
