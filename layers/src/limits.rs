//! What one connection may take of the server.

use std::time::Duration;

/// What one connection may take of the server. Every limit is finite; raise what your app needs raised:
/// `Limits { message: 8 << 20, ..Limits::default() }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one message, in either direction. A larger message from the client closes the connection
    /// (1009, since its id can't be read); a larger answer or event is refused with `PAYLOAD_TOO_LARGE`.
    /// Default: 1 MiB.
    pub message: usize,
    /// Messages being handled at once, counting those of `.concurrent()` routes; at least 1. Default: 64.
    pub in_flight: usize,
    /// Messages read and not yet begun. A full queue stops the reading, and TCP tells the client. Their bytes
    /// are bounded too: with [`message`](Self::message) bytes waiting, nothing more is read. At least 1. Default: 64.
    pub queued: usize,
    /// Bytes waiting for a client that reads too slowly (each frame counted with 64 bytes of its own). Past it
    /// the connection is closed with 3002 `slow-reader`. At least one message fits, whatever this says.
    /// Default: 4 MiB.
    pub outbound: usize,
    /// Rooms that one client may be in. Default: 1,000.
    pub rooms: usize,
    /// Bytes of a room's name. Default: 256.
    pub room_name: usize,
    /// Bytes that a room has taken and not yet begun to deliver to all of its members. Past it, sends to the
    /// room are refused with `OVERLOADED`. Default: 16 MiB.
    pub room_backlog: usize,
    /// How long a message may wait for a layer of the whole app to become ready; then the connection is closed
    /// with 3001 `stalled`. Default: 30 s.
    pub stall: Duration,
    /// How long a peer may be silent before it is asked for a sign of life by a ping. Default: 25 s.
    pub ping_after: Duration,
    /// How long after that ping a peer that stays silent is given up. Default: 20 s.
    pub pong_within: Duration,
    /// How long a close may take: the last frames, the Close frame and the peer's answer to it. Default: 5 s.
    pub close_within: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message: 1 << 20,
            in_flight: 64,
            queued: 64,
            outbound: 4 << 20,
            rooms: 1_000,
            room_name: 256,
            room_backlog: 16 << 20,
            stall: Duration::from_secs(30),
            ping_after: Duration::from_secs(25),
            pong_within: Duration::from_secs(20),
            close_within: Duration::from_secs(5),
        }
    }
}
