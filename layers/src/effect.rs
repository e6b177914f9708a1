//! What a handler does to the world beyond its answer, as data.

use std::{borrow::Cow, sync::Arc};

use crate::{ClientId, Event};

/// Something that a message does beyond being answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// The client enters a room.
    Join(Arc<str>),
    /// The client leaves a room.
    Leave(Arc<str>),
    /// An event goes out.
    Emit {
        /// To whom.
        to: Target,
        /// What.
        event: Event,
    },
    /// The client's connection is closed, after what was sent before.
    Close(Close),
}

/// Whom an event is for. Whoever is named twice, or is in several of the rooms, gets it once; unknown rooms and
/// clients are no-ops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// These clients.
    Clients(Vec<ClientId>),
    /// The members of these rooms.
    Rooms(Vec<Arc<str>>),
    /// Every connected client.
    Everyone,
}

/// How a connection is closed: a status code of RFC 6455, section 7.4, and a short machine-readable word.
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
