//! Errors of calls, and of the building of clients.

use std::{error::Error, fmt};

use serde::de::DeserializeOwned;
use zocket_layers::{DataError, Issue, Refusal};

use super::ServerRefusal;

/// The reason why a call has no answer.
#[derive(Debug)]
#[non_exhaustive]
pub enum CallError {
    /// The server refused the call.
    Refused(ServerRefusal),
    /// No answer arrived within [`CallOptions::timeout`](super::CallOptions::timeout). A call that was not sent by then
    /// is never sent.
    Timeout {
        /// States whether the server may have received the call.
        sent: Sent,
    },
    /// The session ended, or there is no connection and the call does not wait for one.
    Disconnected {
        /// States whether the server may have received the call.
        sent: Sent,
    },
    /// The client is closed, by its owner or by a final [`Outage`](super::Outage): see
    /// [`Client::status`](super::Client::status). The call was not sent, or the owner closed the client before the
    /// answer arrived.
    Closed,
    /// The message is larger than the server accepts. It was not sent, as it would have ended the connection.
    TooLarge {
        /// The message's size, in bytes.
        bytes: usize,
        /// The size that the server accepts, in bytes.
        limit: usize,
    },
    /// The input can't be written as JSON. It was not sent.
    Encode(serde_json::Error),
    /// The answer does not fit the requested type. The server has processed the call.
    Decode(serde_json::Error),
}

/// States whether the server may have received a call that was unanswered when its session or its time ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sent {
    /// The server has not begun the call, and never will. A retry can't execute it twice.
    No,
    /// The call was handed to the connection. The server may or may not have received it.
    Unknown,
}

impl CallError {
    /// Returns the server's refusal, if the error is one.
    #[must_use]
    pub fn refusal(&self) -> Option<&ServerRefusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// Returns the issues of the payload that the server refused, or none if the error is another one.
    #[must_use]
    pub fn issues(&self) -> &[Issue] {
        self.refusal().map_or(&[], |refusal| &refusal.issues)
    }

    /// Returns the data of the server's refusal as an `R`, or none if the error is another one.
    ///
    /// ```no_run
    /// # use schemars::JsonSchema;
    /// # use serde::{Deserialize, Serialize};
    /// # use zocket::{Code, Incoming, Refusal, client::Client};
    /// # #[derive(Serialize)] struct Bid { cents: u64 }
    /// # impl Incoming for Bid { const TYPE: &'static str = "lot.bid"; type Answer = (); }
    /// # #[derive(Serialize, Deserialize, JsonSchema)] struct Outbid { least: u64 }
    /// # impl Refusal for Outbid { const CODE: Code = Code::app("OUTBID"); }
    /// # async fn example(client: Client) -> Result<(), Box<dyn std::error::Error>> {
    /// if let Err(error) = client.call(&Bid { cents: 1_100 }).await {
    ///     match error.data::<Outbid>()? {
    ///         Some(outbid) => println!("bid at least {}", outbid.least),
    ///         None => return Err(error.into()),
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Those of [`ServerRefusal::data`].
    pub fn data<R: Refusal + DeserializeOwned>(&self) -> Result<Option<R>, DataError> {
        self.refusal().map_or(Ok(None), ServerRefusal::data)
    }
}

/// Writes the error without its source, which [`Error::source`] returns.
impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Timeout { sent: Sent::No } => {
                f.write_str("expected an answer within the call's timeout, but the message could not be sent by then")
            }
            Self::Timeout { sent: Sent::Unknown } => {
                f.write_str("expected an answer within the call's timeout, got none; the server may have handled the message")
            }
            Self::Disconnected { sent: Sent::No } => f.write_str("disconnected before the message was sent"),
            Self::Disconnected { sent: Sent::Unknown } => {
                f.write_str("disconnected before the answer arrived; the server may have handled the message")
            }
            Self::Closed => f.write_str("the client is closed"),
            Self::TooLarge { bytes, limit } => {
                write!(
                    f,
                    "message: expected at most {limit} bytes, the server's limit, got {bytes}"
                )
            }
            Self::Encode(_) => f.write_str("the input can't be encoded as JSON"),
            Self::Decode(_) => f.write_str("the answer does not fit its type"),
        }
    }
}

impl Error for CallError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Encode(error) | Self::Decode(error) => Some(error),
            // The text is the refusal's.
            _ => None,
        }
    }
}

/// The reason why a client can't be built.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// The URL is invalid, or its scheme is neither `ws` nor `wss`, or it is `wss` without the feature `client-rustls`.
    /// The string describes the problem.
    Url(String),
    /// The headers are not an object of strings, numbers and booleans, or use a name that the handshake needs. The string describes the
    /// problem.
    Headers(String),
    /// The operating system has no root certificates to verify servers with. The string lists the problems that were
    /// found instead.
    Tls(String),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(what) => write!(f, "invalid URL: {what}"),
            Self::Headers(what) => write!(f, "invalid connect headers: {what}"),
            Self::Tls(what) => write!(f, "no certificate to trust a server by: {what}"),
        }
    }
}

impl Error for BuildError {}
