//! Refusals that the server sends.

use std::{fmt, time::Duration};

use serde::Deserialize;
use zocket_layers::{Code, Issue};

/// The reason why the server refused a call, or the connection.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(from = "Wire")]
#[non_exhaustive]
pub struct ServerRefusal {
    /// The code, for programs: one of [`Code`]'s, or the app's own.
    pub code: String,
    /// The message, for people.
    pub message: String,
    /// Every issue of the payload or of the headers, for `BAD_REQUEST`.
    pub issues: Vec<Issue>,
    /// The delay before a retry can succeed, for `TOO_MANY_REQUESTS`; in whole milliseconds.
    pub retry_after: Option<Duration>,
}

/// A refusal in the wire format.
#[derive(Deserialize)]
struct Wire {
    code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    issues: Vec<Issue>,
    #[serde(default, rename = "retryAfterMs")]
    retry_after_ms: Option<u64>,
}

impl From<Wire> for ServerRefusal {
    fn from(wire: Wire) -> Self {
        Self {
            code: wire.code,
            message: wire.message,
            issues: wire.issues,
            retry_after: wire.retry_after_ms.map(Duration::from_millis),
        }
    }
}

impl ServerRefusal {
    /// Creates a refusal from a code and a message, without issues or a retry delay.
    pub(super) fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            issues: Vec::new(),
            retry_after: None,
        }
    }

    /// Returns true if the refusal has this code: `refusal.is(Code::CONFLICT)`.
    #[must_use]
    pub fn is(&self, code: Code) -> bool {
        self.code == code.as_str()
    }
}

/// Formats the code and the message: `CONFLICT: the name is taken`.
impl fmt::Display for ServerRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for ServerRefusal {}

/// The failure of a message that requests no answer, sent by [`Client::send`](super::Client::send). Received from
/// [`Client::errors`](super::Client::errors).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct SendFailure {
    /// The message's route, unless the server could not read it.
    #[serde(default, rename = "type")]
    pub route: Option<String>,
    /// The reason for the failure.
    #[serde(flatten)]
    pub refusal: ServerRefusal,
}
