use std::sync::OnceLock;

use bytes::Bytes;

use super::envelope::{self, Envelope};
use crate::{Connection, Error, Message, RpcId, Turn};

/// One data frame's content as it came from a client, text or binary alike: a message in JSON.
#[derive(Debug)]
pub struct Frame {
    connection: Connection,
    turn: Turn,
    bytes: Bytes,
    read: OnceLock<(Option<RpcId>, Result<Envelope, Error>)>,
}

impl Frame {
    /// A frame that came by this connection.
    pub fn new(connection: Connection, bytes: impl Into<Bytes>) -> Self {
        Self {
            connection,
            turn: Turn::default(),
            bytes: bytes.into(),
            read: OnceLock::new(),
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
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What an answer is recognised by, if it can be read and one is wanted. The frame is parsed at the first
    /// look, and then no more.
    #[must_use]
    pub fn rpc_id(&self) -> Option<&RpcId> {
        self.read().0.as_ref()
    }

    /// The message's type, if it can be read.
    #[must_use]
    pub fn route(&self) -> Option<&str> {
        self.read().1.as_ref().ok().map(|envelope| &*envelope.route)
    }

    fn read(&self) -> &(Option<RpcId>, Result<Envelope, Error>) {
        self.read.get_or_init(|| envelope::read(&self.bytes))
    }

    /// The message, or why it is none, with the id that the refusal goes by.
    pub(super) fn into_message(self) -> Result<Message, (Connection, Option<RpcId>, Error)> {
        let (rpc_id, envelope) = self
            .read
            .into_inner()
            .unwrap_or_else(|| envelope::read(&self.bytes));
        match envelope {
            Ok(Envelope { route, payload }) => {
                let mut message = Message::new(self.connection, route, payload);
                message.parts_mut().rpc_id = rpc_id;
                message.parts_mut().turn = self.turn;
                Ok(message)
            }
            Err(error) => Err((self.connection, rpc_id, error)),
        }
    }
}
