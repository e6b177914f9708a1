use bytes::Bytes;

use super::Frames;
use crate::{Connection, Error, Message, RpcId, Turn};

/// One data frame's content as it came from a client, text or binary alike: a message in JSON.
#[derive(Debug)]
pub struct Frame {
    len: usize,
    message: Result<Message, Unread>,
}

/// A frame that is no message.
#[derive(Debug)]
pub(super) struct Unread {
    pub(super) connection: Connection,
    /// What the refusal goes by.
    pub(super) rpc_id: Option<RpcId>,
    /// Why it is none.
    pub(super) error: Error,
}

impl Frame {
    /// A frame that came by this connection. It is parsed here, but for its payload.
    pub fn new(connection: Connection, bytes: impl Into<Bytes>) -> Self {
        Frames::of(connection).bytes(bytes)
    }

    pub(super) const fn read(len: usize, message: Result<Message, Unread>) -> Self {
        Self { len, message }
    }

    /// Has it hold a turn of its connection's.
    pub fn take_turn(&mut self, turn: Turn) {
        if let Ok(message) = &mut self.message {
            message.parts_mut().take_turn(turn);
        }
    }

    /// Bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What an answer is recognised by, if it can be read and one is wanted.
    #[must_use]
    pub fn rpc_id(&self) -> Option<&RpcId> {
        match &self.message {
            Ok(message) => message.parts().rpc_id(),
            Err(unread) => unread.rpc_id.as_ref(),
        }
    }

    /// The message's type, if it can be read.
    #[must_use]
    pub fn route(&self) -> Option<&str> {
        self.message
            .as_ref()
            .ok()
            .map(|message| &**message.parts().route())
    }

    pub(super) fn into_message(self) -> Result<Message, Unread> {
        self.message
    }
}
