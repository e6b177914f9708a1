//! Effects: joins, leaves, sends and closes, as data.

mod event;
mod observer;
mod room_name;
mod target;

use std::{borrow::Cow, sync::Arc};

pub(crate) use self::observer::EffectObserver;
pub use self::{
    event::{Event, Outgoing},
    room_name::RoomName,
    target::{Audience, Except, Target},
};

/// Something that a message does beyond being answered. A hub refuses one that it does not know with
/// [`Full::Unsupported`](crate::hub::Full::Unsupported).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Effect {
    /// The client enters a room.
    Join(Arc<str>),
    /// The client leaves a room.
    Leave(Arc<str>),
    /// An event goes out.
    Emit {
        /// The receivers.
        to: Target,
        /// The event.
        event: Event,
    },
    /// The client's connection is closed, after what was sent before.
    Close(Close),
    /// Something is done to other clients.
    Manage {
        /// The clients that it is done to.
        clients: Target,
        /// The action.
        action: Action,
    },
}

/// Something that is done to other clients.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// They enter a room.
    Join(Arc<str>),
    /// They leave a room.
    Leave(Arc<str>),
    /// Their connections are closed, after what was sent before.
    Disconnect(Close),
}

/// The close of a connection: a status code (RFC 6455, section 7.4), and a short machine-readable word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close {
    /// 1000 to 4999, from the ranges that RFC 6455 leaves to servers and apps.
    pub code: u16,
    /// At most 123 bytes; longer ones are cut.
    pub reason: Cow<'static, str>,
}

impl Close {
    /// A code and its reason.
    pub fn new(code: u16, reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            reason: reason.into(),
        }
    }
}
