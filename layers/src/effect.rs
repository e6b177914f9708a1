//! What a handler does to the world beyond its answer, as data.

use std::{borrow::Cow, sync::Arc};

use crate::{Event, Target};

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
    /// Something is done to other clients.
    Manage {
        /// To whom.
        clients: Target,
        /// What.
        action: Action,
    },
}

/// What is done to clients on their behalf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// They enter a room.
    Join(Arc<str>),
    /// They leave a room.
    Leave(Arc<str>),
    /// Their connections are closed, after what was sent before.
    Disconnect(Close),
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
