use std::{borrow::Cow, fmt};

use crate::error::{Code, Error};

/// An effect that a hub could not take, and the limit that kept it from it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Full {
    /// The client is in as many rooms as [`Limits::rooms`](crate::limits::Limits::rooms) allows.
    Rooms {
        /// That many.
        limit: usize,
    },
    /// The room's name is longer than [`Limits::room_name`](crate::limits::Limits::room_name).
    RoomName {
        /// Bytes allowed.
        limit: usize,
        /// Bytes given.
        got: usize,
    },
    /// The room has more to deliver than [`Limits::room_backlog`](crate::limits::Limits::room_backlog).
    Backlog {
        /// Bytes allowed.
        limit: usize,
    },
    /// The engine behind the hub, which connects it to other nodes, could not take it.
    Engine {
        /// The engine's reason, for the log and the client: no secrets.
        reason: Cow<'static, str>,
    },
    /// The hub does not know this kind of effect.
    Unsupported,
}

impl Full {
    /// Checks the length of a room's name.
    ///
    /// # Errors
    /// [`RoomName`](Self::RoomName) for more than `limit` bytes.
    pub fn check_room_name(room: &str, limit: usize) -> Result<(), Self> {
        let got = room.len();
        if got > limit {
            Err(Self::RoomName { limit, got })
        } else {
            Ok(())
        }
    }
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rooms { limit } => write!(f, "a client may be in at most {limit} rooms"),
            Self::RoomName { limit, got } => write!(f, "room name: at most {limit} bytes, got {got}"),
            Self::Backlog { limit } => write!(f, "the room has more than {limit} bytes to deliver"),
            Self::Engine { reason } => write!(f, "the engine between nodes: {reason}"),
            Self::Unsupported => f.write_str("the hub does not support this effect"),
        }
    }
}

impl std::error::Error for Full {}

/// `RoomName` is a BAD_REQUEST, `Rooms` a PRECONDITION_FAILED, `Backlog` and `Engine` are OVERLOADED, `Unsupported` is an
/// INTERNAL_SERVER_ERROR.
impl From<Full> for Error {
    fn from(full: Full) -> Self {
        let code = match full {
            Full::Rooms { .. } => Code::PRECONDITION_FAILED,
            Full::RoomName { .. } => Code::BAD_REQUEST,
            Full::Backlog { .. } | Full::Engine { .. } => Code::OVERLOADED,
            Full::Unsupported => return Self::internal(full),
        };
        Self::new(code, full.to_string())
    }
}
