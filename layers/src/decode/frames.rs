use bytes::Bytes;

use super::{
    Frame,
    envelope::{Envelope, NoMessage, read, read_bytes},
    frame::Unread,
};
use crate::{Connection, Message, RawPayload, message::Asked, outbox::Outbox};

/// Makes the frames of one connection. As a rule a message has ended when the next one comes, which then has the memory
/// of the one before.
#[derive(Debug)]
pub struct Frames {
    connection: Connection,
    last: Option<Outbox>,
}

impl Frames {
    /// Of this connection.
    #[must_use]
    pub const fn of(connection: Connection) -> Self {
        Self {
            connection,
            last: None,
        }
    }

    /// Whose frames these are.
    #[must_use]
    pub const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// A frame that holds these bytes. It is parsed here, but for its payload.
    pub fn bytes(&mut self, bytes: impl Into<Bytes>) -> Frame {
        let bytes = bytes.into();
        self.frame(read_bytes(&bytes), bytes)
    }

    /// [`bytes`](Self::bytes) for what is known to be UTF-8: it is not looked at again.
    pub fn text(&mut self, text: impl AsRef<str> + Into<Bytes>) -> Frame {
        self.frame(read(text.as_ref()), text.into())
    }

    /// Gives back the memory of the last message.
    pub fn rest(&mut self) {
        self.last = None;
    }

    fn frame(&mut self, read: Result<Envelope, NoMessage>, bytes: Bytes) -> Frame {
        let len = bytes.len();
        let message = match read {
            Ok(Envelope {
                rpc_id,
                route,
                payload,
            }) => {
                let payload = payload.map_or(RawPayload::absent(), |part| RawPayload::part_of(bytes, part));
                Ok(Message::of(self.outbox(Asked { route, rpc_id }), payload))
            }
            Err((rpc_id, error)) => Err(Unread {
                connection: self.connection.clone(),
                rpc_id,
                error,
            }),
        };
        Frame::read(len, message)
    }

    fn outbox(&mut self, asked: Asked) -> Outbox {
        match &mut self.last {
            Some(last) => last.next(asked),
            None => {
                let outbox = Outbox::holding(self.connection.clone(), asked);
                self.last.insert(outbox).clone()
            }
        }
    }
}
