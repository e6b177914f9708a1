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

    /// There is none to come for now: gives back what the last message left behind beyond its memory.
    pub fn rest(&mut self) {
        self.last.take_if(|last| !last.is_bare());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    #[test]
    fn at_rest_a_message_leaves_nothing_behind_but_its_memory() {
        let mut frames = Frames::of(Connection::detached(()));
        let (long, short) = ("x".repeat(100), "x");
        for (route, id, is_kept) in [(short, short, true), (&long, short, false), (short, &long, false)] {
            let frame = frames.bytes(format!(r#"{{"type":"{route}","rpcId":"{id}"}}"#));
            assert_eq!(frame.route(), Some(route));
            drop(frame);
            frames.rest();
            assert_eq!(frames.last.is_some(), is_kept, "{route} {id}");
        }
        let message = frames.bytes(r#"{"type":"x"}"#).into_message().unwrap();
        message.parts().outbox.fail(Error::internal("lost"));
        drop(message);
        frames.rest();
        assert!(frames.last.is_none());
    }
}
