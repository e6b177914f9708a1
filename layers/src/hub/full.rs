use std::{borrow::Cow, fmt};

use crate::{
    error::{Code, Error},
    into_refusal::IntoRefusal,
};

/// Refusal of an effect by a hub, with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Full {
    /// The client is in as many rooms as [`Limits::rooms`](crate::limits::Limits::rooms) allows.
    Rooms {
        /// Maximum number of rooms.
        limit: usize,
    },
    /// The room's name is longer than [`Limits::room_name`](crate::limits::Limits::room_name).
    RoomName {
        /// Bytes allowed.
        limit: usize,
        /// Bytes given.
        got: usize,
    },
    /// The room has more bytes to deliver than [`Limits::room_backlog`](crate::limits::Limits::room_backlog).
    Backlog {
        /// Bytes allowed.
        limit: usize,
    },
    /// The event is larger than the engine between nodes accepts.
    EventSize {
        /// Bytes allowed.
        limit: usize,
        /// Bytes given.
        got: usize,
    },
    /// The engine that connects the hub to other nodes could not accept the effect.
    Engine {
        /// Reason of the engine. It is logged and sent to the client, so it must not contain secrets.
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
            Self::Rooms { limit } => write!(f, "expected at most {limit} rooms for a client, got one more"),
            Self::RoomName { limit, got } => {
                write!(f, "room name: expected at most {limit} bytes, got {got}")
            }
            Self::Backlog { limit } => write!(f, "the room's backlog exceeds {limit} bytes; try again later"),
            Self::EventSize { limit, got } => {
                write!(f, "event: expected at most {limit} bytes, got {got}")
            }
            Self::Engine { reason } => write!(f, "the engine between nodes failed: {reason}"),
            Self::Unsupported => f.write_str("the hub does not support this effect"),
        }
    }
}

impl std::error::Error for Full {}

/// Maps `RoomName` to BAD_REQUEST, `Rooms` to PRECONDITION_FAILED, `EventSize` to PAYLOAD_TOO_LARGE, `Backlog` and
/// `Engine` to OVERLOADED, and `Unsupported` to INTERNAL_SERVER_ERROR.
#[diagnostic::do_not_recommend]
impl IntoRefusal for Full {
    fn into_refusal(self) -> Error {
        let code = match self {
            Self::Rooms { .. } => Code::PRECONDITION_FAILED,
            Self::RoomName { .. } => Code::BAD_REQUEST,
            Self::EventSize { .. } => Code::PAYLOAD_TOO_LARGE,
            Self::Backlog { .. } | Self::Engine { .. } => Code::OVERLOADED,
            Self::Unsupported => return Error::internal(self),
        };
        Error::new(code, self.to_string())
    }
}
