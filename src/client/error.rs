//! What can go wrong with a call, and with a client that is being made.

use std::{error::Error, fmt};

use super::Refusal;

/// Why a call has no answer.
#[derive(Debug)]
#[non_exhaustive]
pub enum CallError {
    /// The server refused it.
    Refused(Refusal),
    /// No answer within [`CallOptions::timeout`](super::CallOptions::timeout). The server may have done what was
    /// asked; a call that was not sent by then never is.
    Timeout,
    /// The connection ended, or there is none and the call does not wait for one.
    Disconnected {
        /// Whether the server may have it.
        sent: Sent,
    },
    /// The client is closed, by its owner or by a final [`Outage`](super::Outage): see
    /// [`Client::status`](super::Client::status). It was not sent, or its owner closed the client in the meantime.
    Closed,
    /// The message is larger than the server takes. It was not sent: it would have ended the connection.
    TooLarge {
        /// The message's size, in bytes.
        bytes: usize,
        /// What the server takes, in bytes.
        limit: usize,
    },
    /// The input can't be written as JSON. It was not sent.
    Encode(serde_json::Error),
    /// The answer does not fit the type that was asked for. The server has done what was asked.
    Decode(serde_json::Error),
}

/// Whether the server may have got a call that the end of the connection left unanswered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sent {
    /// Not one byte of it was sent: calling again can't do it twice.
    No,
    /// It was given to the connection; nobody knows how far it came.
    Unknown,
}

impl CallError {
    /// The server's refusal, if it is one.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Timeout => f.write_str("no answer in time"),
            Self::Disconnected { sent: Sent::No } => f.write_str("disconnected before it was sent"),
            Self::Disconnected { sent: Sent::Unknown } => {
                f.write_str("disconnected before the answer came; the server may have it")
            }
            Self::Closed => f.write_str("the client is closed"),
            Self::TooLarge { bytes, limit } => {
                write!(f, "the message has {bytes} bytes, and the server takes {limit}")
            }
            Self::Encode(error) => write!(f, "the input can't be written as JSON: {error}"),
            Self::Decode(error) => write!(f, "the answer is not what was expected: {error}"),
        }
    }
}

impl Error for CallError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Encode(error) | Self::Decode(error) => Some(error),
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }
}

/// What a client can't be made of.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// The URL is none, or its scheme is neither `ws` nor `wss`. The sentence says which.
    Url(String),
    /// The headers are no object of strings, or have a name that the handshake needs. The sentence says which.
    Headers(String),
    /// The operating system has no roots to trust servers by. The sentence says what was found instead.
    Tls(String),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(what) => write!(f, "unusable URL: {what}"),
            Self::Headers(what) => write!(f, "unusable headers: {what}"),
            Self::Tls(what) => write!(f, "no way to trust a server: {what}"),
        }
    }
}

impl Error for BuildError {}
