use bytes::Bytes;

use super::envelope::{Envelope, read};
use crate::{Connection, Error, Message, RpcId, Turn};

/// One data frame's content as it came from a client, text or binary alike: a message in JSON.
#[derive(Debug)]
pub struct Frame {
    connection: Connection,
    turn: Turn,
    len: usize,
    rpc_id: Option<RpcId>,
    envelope: Result<Envelope, Error>,
}

impl Frame {
    /// A frame that came by this connection. It is parsed here, but for its payload.
    pub fn new(connection: Connection, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let len = bytes.len();
        let (rpc_id, envelope) = read(bytes);
        Self {
            connection,
            turn: Turn::default(),
            len,
            rpc_id,
            envelope,
        }
    }

    /// The same frame, holding a turn.
    #[must_use]
    pub fn with_turn(mut self, turn: Turn) -> Self {
        self.turn = turn;
        self
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
    pub const fn rpc_id(&self) -> Option<&RpcId> {
        self.rpc_id.as_ref()
    }

    /// The message's type, if it can be read.
    #[must_use]
    pub fn route(&self) -> Option<&str> {
        self.envelope.as_ref().ok().map(|envelope| &*envelope.route)
    }

    /// The message, or why it is none, with the id that the refusal goes by.
    pub(super) fn into_message(self) -> Result<Message, (Connection, Option<RpcId>, Error)> {
        match self.envelope {
            Ok(Envelope { route, payload }) => {
                let mut message = Message::new(self.connection, route, payload);
                message.parts_mut().rpc_id = self.rpc_id;
                message.parts_mut().turn = self.turn;
                Ok(message)
            }
            Err(error) => Err((self.connection, self.rpc_id, error)),
        }
    }
}
