use std::ops::Range;

use super::{Name, RpcId, words};
use crate::error::Error;

/// The head of a message: the members of its envelope but the payload.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Head {
    /// The dotted path of the route.
    pub(crate) route: Name,
    /// The id that the answer carries; none where no answer is wanted.
    pub(crate) rpc_id: Option<RpcId>,
    /// The place of the payload in the frame.
    pub(crate) payload: Option<Range<usize>>,
}

/// A frame that the protocol answers itself, outside of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Control {
    /// Request for a pong.
    Ping,
}

impl Head {
    /// The dotted path of the route.
    #[must_use]
    pub const fn route(&self) -> &Name {
        &self.route
    }

    /// The id that the answer carries; none where no answer is wanted.
    #[must_use]
    pub const fn rpc_id(&self) -> Option<&RpcId> {
        self.rpc_id.as_ref()
    }

    /// The control frame that this is, if it is one.
    #[must_use]
    pub fn control(&self) -> Option<Control> {
        // Most routes differ in the first byte.
        (self.route.starts_with(words::PREFIX) && self.route == words::PING).then_some(Control::Ping)
    }
}

/// A frame that is no message.
#[derive(Debug)]
#[non_exhaustive]
pub struct Malformed {
    /// The id that the refusal carries, if it could be read.
    pub rpc_id: Option<RpcId>,
    /// The reason, a PARSE_ERROR.
    pub error: Error,
}
