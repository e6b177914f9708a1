//! Reasons for a missing connection, and the rule that decides after which of them the client reconnects.

use std::{error::Error, fmt, ops::RangeInclusive, sync::Arc, time::Duration};

use serde::de::DeserializeOwned;
use zocket_layers::{Code, Codec, DataError, Issue, Refusal};

use super::{BuildError, ServerRefusal};

/// The reason why there is no connection. Cheap to clone.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Outage {
    /// The server answered the handshake with something other than 101.
    Refused {
        /// The HTTP status.
        status: u16,
        /// The body of the response. If it names no code, the code is derived from the status.
        refusal: Box<ServerRefusal>,
    },
    /// The server closed the connection.
    Closed {
        /// The close code; 1005 if the server sent none.
        code: u16,
        /// The close reason, a short word for programs.
        reason: String,
    },
    /// The socket could not be opened, or it broke, or the server did not speak WebSocket.
    Broken(Arc<dyn Error + Send + Sync>),
    /// [`Builder::headers_with`](super::Builder::headers_with) failed.
    Headers(Arc<dyn Error + Send + Sync>),
    /// The headers, the handshake and the welcome together took longer than
    /// [`Builder::connect_timeout`](super::Builder::connect_timeout).
    Timeout,
    /// The server sent nothing for too long, not even in answer to a ping: see
    /// [`Builder::ping`](super::Builder::ping).
    Silent,
    /// The server does not speak `zocket.v1.json`. The string describes the evidence.
    Incompatible(String),
    /// The client's configuration is unusable: its URL, its headers or its TLS roots.
    Build(BuildError),
    /// This side ended the connection: by [`Client::close`](super::Client::close), by dropping the last handle, or by
    /// [`Client::reconnect`](super::Client::reconnect).
    ClosedLocally,
}

/// Close reasons of a temporary refusal by `on_open`, with close code 1008. Another connection may succeed.
const TEMPORARY_REASONS: [&str; 4] = [
    Code::OVERLOADED.as_str(),
    Code::TIMEOUT.as_str(),
    Code::TOO_MANY_REQUESTS.as_str(),
    Code::INTERNAL_SERVER_ERROR.as_str(),
];

/// Close code of a session that could no longer be resumed when its socket was open.
const NOT_RESUMABLE: u16 = 3004;
/// Close code of a socket whose session goes on with another one.
const REPLACED: u16 = 3501;

/// Returns true for a reason that is for programs.
fn is_word(reason: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    !reason.is_empty() && reason.bytes().all(is_allowed)
}

impl Outage {
    /// Returns true if the client does not reconnect. `reconnect_on` lists the app's close codes after which it does.
    /// `is_resumed` is true for a client that comes back to its session.
    pub(super) fn is_final(&self, reconnect_on: &[RangeInclusive<u16>], is_resumed: bool) -> bool {
        match self {
            Self::Refused { status, .. } => !matches!(status, 408 | 429 | 500..),
            Self::Closed { code, reason } => match code {
                &REPLACED if is_resumed => false,
                1008 => !TEMPORARY_REASONS.contains(&reason.as_str()),
                3500..=3999 => true,
                4000..=4999 => !reconnect_on.iter().any(|codes| codes.contains(code)),
                _ => false,
            },
            Self::Incompatible(_) | Self::Build(_) => true,
            Self::Broken(_) | Self::Headers(_) | Self::Timeout | Self::Silent | Self::ClosedLocally => false,
        }
    }

    /// Returns true if the session goes on without its connection, so that the client can come back to it.
    ///
    /// WebSocket libraries report 1005 and 1006 by themselves, and proxies close with texts for people, while the
    /// reasons of a server are words. After 3501 the session goes on, but with a socket that this client has given up:
    /// its handshake was late. Refused handshakes and 3004, which come before a welcome, say nothing about the session.
    /// Any other code is one with which the server has ended it.
    pub(super) fn is_break(&self) -> bool {
        match self {
            Self::Closed { code, reason } => match code {
                ..3000 => !is_word(reason),
                &NOT_RESUMABLE | &REPLACED | 3100..=3299 | 3600..=3799 => true,
                _ => false,
            },
            Self::Incompatible(_) | Self::Build(_) => false,
            Self::Refused { .. }
            | Self::Broken(_)
            | Self::Headers(_)
            | Self::Timeout
            | Self::Silent
            | Self::ClosedLocally => true,
        }
    }

    /// Returns the server's refusal of the handshake, if the outage is one.
    #[must_use]
    pub fn refusal(&self) -> Option<&ServerRefusal> {
        match self {
            Self::Refused { refusal, .. } => Some(refusal),
            _ => None,
        }
    }

    /// Returns the issues of the connect headers that the server refused, or none if the outage is another one.
    #[must_use]
    pub fn issues(&self) -> &[Issue] {
        self.refusal().map_or(&[], |refusal| &refusal.issues)
    }

    /// Returns the data of the server's refusal as an `R`, or none if the outage is another one.
    ///
    /// # Errors
    /// Those of [`ServerRefusal::data`].
    pub fn data<R: Refusal + DeserializeOwned>(&self) -> Result<Option<R>, DataError> {
        self.refusal().map_or(Ok(None), ServerRefusal::data)
    }

    /// Returns the delay that the server asks for before the next attempt.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.refusal().and_then(|refusal| refusal.retry_after)
    }
}

/// Writes the outage without its source, which [`Error::source`] returns.
impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { status, refusal } => {
                write!(f, "the server refused the handshake ({status}): {refusal}")
            }
            Self::Closed { code, reason } => write!(f, "the server closed the connection: {code} {reason}"),
            Self::Broken(_) => f.write_str("the connection was lost"),
            Self::Headers(_) => f.write_str("the connect headers could not be computed"),
            Self::Timeout => f.write_str("expected a connection within the connect timeout, got none"),
            Self::Silent => f.write_str("expected an answer to a ping, got none"),
            Self::Incompatible(what) => {
                write!(
                    f,
                    "expected a server that speaks {}: {what}",
                    Codec::Json.subprotocol()
                )
            }
            Self::Build(error) => error.fmt(f),
            Self::ClosedLocally => f.write_str("the client was closed"),
        }
    }
}

impl Error for Outage {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Broken(error) | Self::Headers(error) => Some(&**error),
            // The text has the refusal, or is that of the error.
            _ => None,
        }
    }
}

impl From<BuildError> for Outage {
    fn from(error: BuildError) -> Self {
        Self::Build(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(code: u16) -> Outage {
        Outage::Closed {
            code,
            reason: String::new(),
        }
    }

    fn refused(status: u16) -> Outage {
        Outage::Refused {
            status,
            refusal: Box::new(ServerRefusal::new("X", "")),
        }
    }

    #[test]
    fn each_close_code_decides_whether_to_reconnect() {
        for code in [1008, 3500, 3999, 4000, 4999] {
            assert!(closed(code).is_final(&[], false), "{code}");
        }
        for code in [
            1000, 1001, 1002, 1005, 1007, 1009, 1011, 1012, 1013, 3000, 3001, 3499,
        ] {
            assert!(!closed(code).is_final(&[], false), "{code}");
        }
        let full = Outage::Closed {
            code: 1008,
            reason: "OVERLOADED".to_owned(),
        };
        assert!(!full.is_final(&[], false));
        assert!(!closed(4001).is_final(&[4000..=4001], false));
        assert!(closed(4002).is_final(&[4000..=4001], false));
        assert!(closed(3500).is_final(&[3500..=3500], false));
    }

    #[test]
    fn each_close_decides_whether_the_session_goes_on() {
        let closed = |code, reason: &str| Outage::Closed {
            code,
            reason: reason.to_owned(),
        };
        for (code, reason) in [
            (1000, ""),
            (1000, "idle for too long"),
            (1001, ""),
            (1005, ""),
            (1011, "upstream failed"),
            (3004, "not-resumable"),
            (3203, "OVERLOADED"),
            (3501, "replaced"),
            (3601, "UNAUTHORIZED"),
        ] {
            assert!(closed(code, reason).is_break(), "{code} {reason}");
        }
        for (code, reason) in [
            (1001, "going-away"),
            (1008, "bad-ack"),
            (1012, "restarting"),
            (3001, "stalled"),
            (3002, "slow-reader"),
            (3500, ""),
            (4000, ""),
            (4999, "kicked"),
        ] {
            assert!(!closed(code, reason).is_break(), "{code} {reason}");
        }
        assert!(refused(503).is_break() && Outage::Silent.is_break() && Outage::Timeout.is_break());
    }

    #[test]
    fn a_client_with_a_session_comes_back_when_it_was_replaced() {
        assert!(closed(3501).is_final(&[], false));
        assert!(!closed(3501).is_final(&[], true));
        assert!(closed(3500).is_final(&[], true));
    }

    #[test]
    fn each_status_decides_whether_to_reconnect() {
        for status in [200, 302, 400, 401, 403, 404, 426] {
            assert!(refused(status).is_final(&[], false), "{status}");
        }
        for status in [408, 429, 500, 502, 503, 504] {
            assert!(!refused(status).is_final(&[], false), "{status}");
        }
    }
}
