//! How a client stands.

use std::time::Duration;

use serde::Deserialize;
use zocket_layers::ClientId;

use super::Outage;

/// How a client stands.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Status {
    /// An attempt to connect is being made.
    Connecting {
        /// Attempts before this one since a connection last proved itself.
        attempts: u32,
    },
    /// Connected, and welcome.
    Open(Welcome),
    /// The next attempt will be made after a while.
    Waiting {
        /// Attempts since a connection last proved itself.
        attempts: u32,
        /// How long the wait is, as a whole.
        delay: Duration,
        /// Why there is no connection.
        outage: Outage,
    },
    /// It is over. Calls fail with [`CallError::Closed`](super::CallError::Closed), streams have ended.
    Closed(Outage),
}

impl Status {
    /// Whether there is a connection.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Open(_))
    }

    /// Whether it is over.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Closed(_))
    }
}

/// The first frame of the server.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Welcome {
    /// Who this client is to the server: another one after each reconnection.
    pub client_id: ClientId,
    /// The hash of the server's contract: [`Contract::hash`](crate::Contract::hash). None for a server without a
    /// contract, such as a stack composed by hand.
    pub contract: Option<String>,
    /// What a message may have.
    #[serde(default)]
    pub(super) limits: WelcomeLimits,
}

impl Welcome {
    /// What one message may have, in bytes, in either direction.
    #[must_use]
    pub fn max_message(&self) -> usize {
        self.limits.message
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct WelcomeLimits {
    pub(super) message: usize,
}

/// A server that names no limit.
impl Default for WelcomeLimits {
    fn default() -> Self {
        Self { message: usize::MAX }
    }
}
