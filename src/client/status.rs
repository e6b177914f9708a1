//! The state of a client's connection.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use zocket_layers::ClientId;

use super::{Outage, config::FOREVER, token::Token};

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
    /// The id that the server gave this client. It stays the same while the session is resumed.
    pub client_id: ClientId,
    /// The hash of the server's contract: [`Contract::hash`](crate::Contract::hash). `None` for a server without a
    /// contract, such as a stack composed by hand.
    pub contract: Option<String>,
    /// True if the session of the last connection goes on. False for a new session, which is in no room, and has missed
    /// the events since the last connection.
    #[serde(default)]
    pub resumed: bool,
    #[serde(default)]
    features: Vec<String>,
    /// Limits of messages.
    #[serde(default)]
    pub(super) limits: WelcomeLimits,
    heartbeat_ms: Option<u64>,
    session: Option<Token>,
    /// Any value: one that is no number does not fit the session, and the client begins a new one.
    #[serde(default)]
    received: Value,
    #[serde(default)]
    ended: Value,
    ack_ms: Option<u64>,
    parked_ms: Option<u64>,
}

/// Silence before a ping, if the welcome names none.
const DEFAULT_HEARTBEAT: Duration = Duration::from_secs(25);
/// Time between acknowledgements, if the welcome names none.
const DEFAULT_ACK: Duration = Duration::from_secs(1);
/// Time for which the server keeps a session, if the welcome names none.
const DEFAULT_PARKED: Duration = Duration::from_secs(30);
/// Feature of a server that can resume sessions.
const RESUME: &str = "resume";

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
        time(self.heartbeat_ms, DEFAULT_HEARTBEAT)
    }

    /// Returns the token by which the session can be resumed. `None` if the server can't.
    pub(super) fn token(&self) -> Option<Token> {
        let can_resume = self.features.iter().any(|feature| feature == RESUME);
        self.session
            .clone()
            .filter(|token| can_resume && token.is_valid())
    }

    /// Returns the number of the last message that the session before has received, if the server has ended that for this
    /// connection.
    pub(super) fn ended(&self) -> Option<u64> {
        self.ended.as_u64()
    }

    /// Returns the number of the client's last message that the server has. `None` if it is no whole number.
    pub(super) fn received(&self) -> Option<u64> {
        self.received.as_u64()
    }

    /// Returns the time between acknowledgements.
    pub(super) fn ack_every(&self) -> Duration {
        time(self.ack_ms, DEFAULT_ACK)
    }

    /// Returns the time for which the server keeps the session after a break.
    pub(super) fn parked_for(&self) -> Duration {
        time(self.parked_ms, DEFAULT_PARKED)
    }

    /// Returns the bytes that each side keeps until they are acknowledged.
    pub(super) fn max_record(&self) -> usize {
        self.limits
            .record
            .filter(|bytes| *bytes > 0)
            .unwrap_or(usize::MAX)
    }
}

fn time(ms: Option<u64>, otherwise: Duration) -> Duration {
    match ms {
        Some(ms) if ms > 0 => Duration::from_millis(ms).min(FOREVER),
        _ => otherwise,
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct WelcomeLimits {
    pub(super) message: usize,
    calls: Option<usize>,
    record: Option<usize>,
}

/// Applies to a server that names no limit: messages are not limited.
impl Default for WelcomeLimits {
    fn default() -> Self {
        Self {
            message: usize::MAX,
            calls: None,
            record: None,
        }
    }
}
