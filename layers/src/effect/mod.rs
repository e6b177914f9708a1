//! Effects: joins, leaves, sends and closes, as data.

mod delivery;
mod event;
mod event_delivery;
mod observer;
mod room_name;
mod target;

use std::{borrow::Cow, sync::Arc};

pub(crate) use self::observer::EffectObserver;
pub use self::{
    delivery::Delivery,
    event::{Event, Outgoing},
    room_name::RoomName,
    target::{Audience, Except, Target},
};

/// An effect of a message beyond its answer, as data. A hub refuses a variant that it does not know with
/// [`Full::Unsupported`](crate::hub::Full::Unsupported).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Effect {
    /// The client that caused the effect enters a room.
    Join(Arc<str>),
    /// The client that caused the effect leaves a room.
    Leave(Arc<str>),
    /// An event is sent.
    Emit {
        /// The receivers.
        to: Target,
        /// The event.
        event: Event,
    },
    /// The connection of the client that caused the effect is closed, after everything that was sent before.
    Close(Close),
    /// An action is performed on a selection of clients.
    Manage {
        /// The selected clients.
        clients: Target,
        /// The action.
        action: Action,
    },
}

/// An action on a selection of clients, the action of [`Effect::Manage`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// The selected clients enter a room.
    Join(Arc<str>),
    /// The selected clients leave a room.
    Leave(Arc<str>),
    /// The selected clients' connections are closed, after everything that was sent before.
    Disconnect(Close),
}

/// Status code (RFC 6455, section 7.4) and reason of a Close frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close {
    /// 1000 to 4999, from the ranges that RFC 6455, section 7.4.2, leaves to servers and apps.
    pub code: u16,
    /// Short machine-readable word of at most 123 bytes, since a control frame holds 125 bytes (RFC 6455, section 5.5)
    /// and the code takes two. A longer reason is truncated.
    pub reason: Cow<'static, str>,
}

impl Close {
    /// Creates a close from a code and its reason.
    pub fn new(code: u16, reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            reason: reason.into(),
        }
    }
}
