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

/// A frame that the connection answers itself, outside of the message queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolFrame {
    /// Request for a pong.
    Ping,
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

    /// Returns the protocol frame with this head, if its route is a reserved type.
    #[must_use]
    pub fn protocol_frame(&self) -> Option<ProtocolFrame> {
        // The prefix is compared first, since most routes differ in the first byte.
        (self.route.starts_with(words::PREFIX) && self.route == words::PING).then_some(ProtocolFrame::Ping)
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
