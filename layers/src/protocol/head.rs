use std::ops::Range;

use super::{Name, RpcId, words};
use crate::error::Error;

/// Head of a message: the members of its envelope except the payload.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Head {
    /// Dotted path of the route.
    pub(crate) route: Name,
    /// Id that the answer carries; none if the client expects no answer.
    pub(crate) rpc_id: Option<RpcId>,
    /// Range of the payload in the frame.
    pub(crate) payload: Option<Range<usize>>,
}

/// A frame that concerns the connection itself, and not the app. Which of them a client may send depends on its offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolFrame {
    /// Request for a pong.
    Ping,
    /// Answer to a ping. A server sends no `__ping`, and ignores it.
    Pong,
    /// First frame of a server. A server ignores it.
    Welcome,
    /// Acknowledgement of the server's frames.
    Ack,
    /// Message that does nothing.
    Void,
}

impl Head {
    /// Returns the dotted path of the route.
    #[must_use]
    pub const fn route(&self) -> &Name {
        &self.route
    }

    /// Returns the id that the answer carries, or none if the client expects no answer.
    #[must_use]
    pub const fn rpc_id(&self) -> Option<&RpcId> {
        self.rpc_id.as_ref()
    }

    /// Returns the protocol frame with this head, if its route is the type of one.
    #[must_use]
    pub fn protocol_frame(&self) -> Option<ProtocolFrame> {
        // The prefix is compared first, since most routes differ in the first byte.
        if !self.route.starts_with(words::PREFIX) {
            return None;
        }
        match &*self.route {
            words::PING => Some(ProtocolFrame::Ping),
            words::PONG => Some(ProtocolFrame::Pong),
            words::WELCOME => Some(ProtocolFrame::Welcome),
            words::ACK => Some(ProtocolFrame::Ack),
            words::VOID => Some(ProtocolFrame::Void),
            _ => None,
        }
    }
}

/// A frame that is not a message.
#[derive(Debug)]
#[non_exhaustive]
pub struct Malformed {
    /// Id that the refusal carries, if it could be read.
    pub rpc_id: Option<RpcId>,
    /// Reason, a PARSE_ERROR.
    pub error: Error,
}
