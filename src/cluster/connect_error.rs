//! Reasons why a node could not be connected.

use std::{error::Error, fmt};

use async_nats::ServerAddr;
use tower::BoxError;

/// Reason why a hub could not be connected.
///
/// Its text names the servers, without credentials, and the step that failed. The cause is its [`source`](Error::source).
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// An option or the URL of a server is invalid. The string says which.
    Option(String),
    /// No server accepts the connection.
    Connection {
        /// URLs of the servers.
        servers: Vec<String>,
        /// The error of NATS's client. Its [`kind`](async_nats::ConnectError::kind) is the step that failed.
        error: async_nats::ConnectError,
    },
    /// A server has accepted the connection, but not what the node subscribes or publishes to.
    Subscription {
        /// URLs of the servers, one of which the node was connected to.
        servers: Vec<String>,
        /// The reason of the server, of NATS's client, or of a layer.
        source: BoxError,
    },
}

impl ConnectError {
    pub(super) const fn subscription(source: BoxError) -> Self {
        let servers = Vec::new();
        Self::Subscription { servers, source }
    }

    /// Names the servers.
    #[must_use]
    pub(super) fn of(mut self, named: Vec<String>) -> Self {
        if let Self::Connection { servers, .. } | Self::Subscription { servers, .. } = &mut self {
            *servers = named;
        }
        self
    }
}

/// Returns the URL of a server for people, without credentials.
pub(super) fn url(server: &ServerAddr) -> String {
    let (scheme, host, port) = (server.scheme(), server.host(), server.port());
    match host.contains(':') {
        true => format!("{scheme}://[{host}]:{port}"),
        false => format!("{scheme}://{host}:{port}"),
    }
}

/// Writes the error without its source.
impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option(problem) => write!(f, "invalid option: {problem}"),
            Self::Connection { servers, error } => {
                write!(
                    f,
                    "no connection to NATS at {}: {}",
                    servers.join(", "),
                    error.kind()
                )
            }
            Self::Subscription { servers, .. } if servers.is_empty() => {
                f.write_str("the engine does not accept the subscriptions of this node")
            }
            Self::Subscription { servers, .. } => write!(
                f,
                "NATS at {} does not accept the subscriptions of this node",
                servers.join(", ")
            ),
        }
    }
}

impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Option(_) => None,
            // The text has the kind of the error, whose own text repeats its source.
            Self::Connection { error, .. } => error.source(),
            Self::Subscription { source, .. } => Some(&**source),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_named_without_credentials() {
        for (given, named) in [
            ("10.0.0.5", "nats://10.0.0.5:4222"),
            ("nats://ann:secret@a.test:4223", "nats://a.test:4223"),
            ("tls://token@[::1]", "tls://[::1]:4222"),
            ("wss://ann:secret@a.test/nats?jwt=secret", "wss://a.test:443"),
        ] {
            assert_eq!(url(&given.parse().unwrap()), named);
        }
    }
}
