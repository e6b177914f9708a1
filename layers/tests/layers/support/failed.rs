//! A message, and the error of its calls.

use std::{error::Error, fmt};

use zocket_layers::{Incoming, service::CallFailure};

/// A message that the server answers with a number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bid;

impl Incoming for Bid {
    const TYPE: &'static str = "lot.bid";
    type Answer = u32;
}

/// An error of a client.
#[derive(Debug, Clone)]
pub(crate) enum Failed {
    Refused(String),
    Disconnected,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl Error for Failed {}

impl CallFailure for Failed {
    fn code(&self) -> Option<&str> {
        match self {
            Self::Refused(code) => Some(code),
            Self::Disconnected => None,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::Disconnected => "disconnected",
        }
    }
}
