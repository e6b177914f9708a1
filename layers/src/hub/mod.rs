//! Who is where: the [`Hub`] that effects go to, and the one within this process.
//!
//! ```
//! use std::sync::Arc;
//! use zocket_layers::{ClientId, Effect, Hub, Limits, LocalHub};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), zocket_layers::hub::Full> {
//! let hub = LocalHub::new();
//! let ann = ClientId::random();
//! let mailbox = hub.connect(ann, &Limits::default());
//! hub.perform(Some(&ann), Effect::Join("lobby".into()))?;
//! assert!(hub.has(&ann, "lobby"));
//! assert_eq!(hub.size("lobby").await, 1);
//! hub.disconnect(&mailbox);
//! assert_eq!(hub.size("lobby").await, 0);
//! # Ok(()) }
//! ```

mod flusher;
mod inbox;
mod local;
mod log;
mod mailbox;
mod room;
mod subscription;

use std::{fmt, sync::Arc};

use futures_util::future::BoxFuture;

pub use self::{
    local::LocalHub,
    mailbox::{Delivery, Mailbox},
};
use crate::{ClientId, Code, Effect, Error, Limits, Target};

/// Who is where, and the way to them. [`LocalHub`] is the one within this process; an engine between nodes, or a
/// wrapper that inspects and vetoes, stands behind the same trait, and no handler can tell.
///
/// Order: what one client (or the server's own code, from one task) performs is seen by each receiver in the
/// order in which it was performed.
pub trait Hub: fmt::Debug + Send + Sync + 'static {
    /// Lets a client in. What is sent to it from now on is in the mailbox.
    fn connect(&self, client: ClientId, limits: &Limits) -> Arc<Mailbox>;

    /// Lets a client go: out of its rooms, and no longer part of everyone.
    fn disconnect(&self, mailbox: &Mailbox);

    /// Performs an effect, `from` a client or the server's own code. It takes what it is given, and delivers in
    /// its own time: the cost of sending does not grow with the number of receivers (that of `Manage` does). `Join`,
    /// `Leave` and `Close` are about the client; from nobody they are no-ops.
    ///
    /// # Errors
    /// [`Full`] when a limit keeps it from taking the effect.
    fn perform(&self, from: Option<&ClientId>, effect: Effect) -> Result<(), Full>;

    /// Whether a client is in a room.
    fn has(&self, client: &ClientId, room: &str) -> bool;

    /// The rooms of a client, in no order.
    fn rooms(&self, client: &ClientId) -> Vec<Arc<str>>;

    /// The clients that are meant, in no order.
    fn clients<'a>(&'a self, of: &'a Target) -> BoxFuture<'a, Vec<ClientId>>;

    /// How many clients are in a room.
    fn size<'a>(&'a self, room: &'a str) -> BoxFuture<'a, usize>;

    /// Resolves when everything performed so far is out of this process's hands, as far as the hub has any
    /// say in it.
    fn flush(&self) -> BoxFuture<'_, Result<(), Full>>;

    /// What has to run beside the hub. An app spawns it once, with its first connection.
    fn background(&self) -> Option<BoxFuture<'static, ()>>;
}

/// Why a hub could not take an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Full {
    /// The client is in as many rooms as [`Limits::rooms`] lets it be.
    Rooms {
        /// That many.
        limit: usize,
    },
    /// The room's name is longer than [`Limits::room_name`].
    RoomName {
        /// Bytes allowed.
        limit: usize,
        /// Bytes given.
        got: usize,
    },
    /// The room has more to deliver than [`Limits::room_backlog`].
    Backlog {
        /// Bytes allowed.
        limit: usize,
    },
}

impl Full {
    /// Checks the length of a room's name.
    pub(crate) fn check_room_name(room: &str, limit: usize) -> Result<(), Self> {
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
        }
    }
}

impl std::error::Error for Full {}

/// `RoomName` is a BAD_REQUEST, `Rooms` a PRECONDITION_FAILED, `Backlog` OVERLOADED.
impl From<Full> for Error {
    fn from(full: Full) -> Self {
        let code = match full {
            Full::Rooms { .. } => Code::PRECONDITION_FAILED,
            Full::RoomName { .. } => Code::BAD_REQUEST,
            Full::Backlog { .. } => Code::OVERLOADED,
        };
        Self::new(code, full.to_string())
    }
}
