//! The state of a client's connection.

use std::time::Duration;

use serde::Deserialize;
use zocket_layers::ClientId;

use super::{Outage, config::FOREVER};

/// The state of a client's connection.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Status {
    /// An attempt to connect is in progress.
    Connecting {
        /// Attempts before this one since a connection last proved itself.
        attempts: u32,
    },
    /// The client is connected and has received the server's welcome.
    Open(Welcome),
    /// The client waits before the next attempt.
    Waiting {
        /// Attempts since a connection last proved itself.
        attempts: u32,
        /// The length of the whole wait.
        delay: Duration,
        /// The reason why there is no connection.
        outage: Outage,
    },
    /// The client is closed for good. Calls fail with [`CallError::Closed`](super::CallError::Closed), streams have
    /// ended.
    Closed(Outage),
}

impl Status {
    /// Returns true if there is a connection.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Open(_))
    }

    /// Returns true if the client is closed for good.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Closed(_))
    }
}

/// The server's first frame.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Welcome {
    /// The id that the server gave this client. It changes with each reconnection.
    pub client_id: ClientId,
    /// The hash of the server's contract: [`Contract::hash`](crate::Contract::hash). `None` for a server without a
    /// contract, such as a stack composed by hand.
    pub contract: Option<String>,
    /// Limits of messages.
    #[serde(default)]
    pub(super) limits: WelcomeLimits,
    heartbeat_ms: Option<u64>,
}

/// Silence before a ping, if the welcome names none.
const DEFAULT_HEARTBEAT: Duration = Duration::from_secs(25);

impl Welcome {
    /// Returns the size limit of one message, in bytes, in either direction.
    #[must_use]
    pub fn max_message(&self) -> usize {
        self.limits.message
    }

    /// Returns the limit of unanswered calls. A server that does not know the feature names none.
    pub(super) fn max_calls(&self) -> Option<usize> {
        self.limits.calls.map(|calls| calls.max(1))
    }

    /// Returns the silence before a ping.
    pub(super) fn heartbeat(&self) -> Duration {
        match self.heartbeat_ms {
            Some(ms) if ms > 0 => Duration::from_millis(ms).min(FOREVER),
            _ => DEFAULT_HEARTBEAT,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct WelcomeLimits {
    pub(super) message: usize,
    calls: Option<usize>,
}

/// Applies to a server that names no limit: messages are not limited.
impl Default for WelcomeLimits {
    fn default() -> Self {
        Self {
            message: usize::MAX,
            calls: None,
        }
    }
}
