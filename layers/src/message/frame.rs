use std::fmt;

use bytes::Bytes;

use super::{Message, state::MessageState};
use crate::{
    connection::{Connection, Turn},
    error::Error,
    protocol::{DataFrame, Head, Kind, Malformed, RawPayload, RpcId},
};

/// A data frame received from a client. It is the request of the outermost service of a stack.
///
/// Its head is read at most once: by the connection if a codec was negotiated, or else by
/// [`DecodeLayer`](crate::DecodeLayer). In a stack without that layer, a frame is opaque.
#[derive(Debug)]
pub struct Frame {
    data: DataFrame,
    reading: Reading,
    turn: Option<Turn>,
}

/// Result of reading the head, with the connection.
#[derive(Debug)]
enum Reading {
    Unread(Connection),
    /// Kept in the state of the later message, since moving a pointer is cheaper than moving a head.
    Head(MessageState),
    Malformed(Box<(Connection, Malformed)>),
}

impl Reading {
    fn of(connection: Connection, read: Result<Head, Malformed>) -> Self {
        match read {
            Ok(head) => Self::Head(MessageState::holding(connection, head)),
            Err(malformed) => Self::Malformed(Box::new((connection, malformed))),
        }
    }
}

impl Frame {
    /// Creates a text frame whose head has not been read.
    pub fn new(connection: Connection, text: impl AsRef<str> + Into<Bytes>) -> Self {
        Self::unread(connection, DataFrame::text(text))
    }

    /// Creates a frame whose head has not been read.
    #[must_use]
    pub const fn unread(connection: Connection, data: DataFrame) -> Self {
        Self {
            data,
            reading: Reading::Unread(connection),
            turn: None,
        }
    }

    /// Creates a text frame, and reads its head. The text is known to be UTF-8 and is not validated again.
    pub fn read_text(connection: Connection, text: impl AsRef<str> + Into<Bytes>) -> Self {
        let read = connection.form().codec.read_text_head(text.as_ref());
        Self {
            data: DataFrame::text(text),
            reading: Reading::of(connection, read),
            turn: None,
        }
    }

    /// Creates a binary frame, and reads its head.
    pub fn read_binary(connection: Connection, bytes: impl Into<Bytes>) -> Self {
        let data = DataFrame::binary(bytes);
        let read = connection.form().codec.read_head(data.bytes());
        Self {
            data,
            reading: Reading::of(connection, read),
            turn: None,
        }
    }

    /// Returns the head, if it has been read and the frame is a message.
    #[must_use]
    pub fn head(&self) -> Option<&Head> {
        match &self.reading {
            Reading::Head(state) => Some(state.head()),
            Reading::Unread(_) | Reading::Malformed(_) => None,
        }
    }

    /// Returns the frame's `rpcId`, which the answer repeats. None if the client expects no answer, or if the head has
    /// not been read yet. A malformed frame may have an id too.
    #[must_use]
    pub fn rpc_id(&self) -> Option<&RpcId> {
        match &self.reading {
            Reading::Unread(_) => None,
            Reading::Head(state) => state.head().rpc_id(),
            Reading::Malformed(malformed) => malformed.1.rpc_id.as_ref(),
        }
    }

    /// Returns the connection that the frame arrived on.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        match &self.reading {
            Reading::Unread(connection) => connection,
            Reading::Head(state) => state.connection(),
            Reading::Malformed(malformed) => &malformed.0,
        }
    }

    /// Returns the content.
    #[must_use]
    pub const fn data(&self) -> &DataFrame {
        &self.data
    }

    /// Turns the frame into its content, without a copy.
    #[must_use]
    pub fn into_data(self) -> DataFrame {
        self.data
    }

    /// Returns the kind: text or binary.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.data.kind()
    }

    /// Returns the length of the content in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.data.bytes().len()
    }

    /// Returns true if the frame has no content.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sets the turn, which the message gives up or holds until it ends.
    pub(crate) const fn set_turn(&mut self, turn: Turn) {
        self.turn = Some(turn);
    }

    /// Turns the frame into a message. The payload is a part of the frame, not a copy.
    ///
    /// # Errors
    /// [`MalformedFrame`] if the frame is not a message.
    pub fn into_message(self) -> Result<Message, MalformedFrame> {
        let Self { data, reading, turn } = self;
        let state = match reading {
            Reading::Head(state) => state,
            Reading::Malformed(malformed) => return Err(MalformedFrame(malformed)),
            Reading::Unread(connection) => match connection.form().codec.read_head(data.bytes()) {
                Ok(head) => MessageState::holding(connection, head),
                Err(malformed) => return Err(MalformedFrame(Box::new((connection, malformed)))),
            },
        };
        let payload = match &state.head().payload {
            Some(part) => {
                let codec = state.connection().form().codec;
                RawPayload::part_of(codec, data.into_bytes(), part.clone())
            }
            None => RawPayload::absent(),
        };
        Ok(Message::from_state(state, turn, payload))
    }
}

/// Error of a frame that is not a message: the reason, and the connection to report it on.
#[derive(Debug)]
pub struct MalformedFrame(Box<(Connection, Malformed)>);

impl MalformedFrame {
    /// Returns the connection that the frame arrived on.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.0.0
    }

    /// Returns the id that the refusal carries, if it could be read.
    #[must_use]
    pub fn rpc_id(&self) -> Option<&RpcId> {
        self.0.1.rpc_id.as_ref()
    }

    /// Returns the reason, a PARSE_ERROR.
    #[must_use]
    pub fn error(&self) -> &Error {
        &self.0.1.error
    }
}

impl fmt::Display for MalformedFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error().fmt(f)
    }
}

impl std::error::Error for MalformedFrame {}

/// The response of the outermost service of a stack.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum FrameResponse {
    /// Nothing is sent.
    #[default]
    None,
    /// One frame is sent.
    One(DataFrame),
}

impl FrameResponse {
    /// Returns the content of the frame, if there is one.
    #[must_use]
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::None => None,
            Self::One(frame) => Some(frame.bytes()),
        }
    }

    /// Returns the frame, if there is one.
    #[must_use]
    pub fn into_frame(self) -> Option<DataFrame> {
        match self {
            Self::None => None,
            Self::One(frame) => Some(frame),
        }
    }
}

impl From<DataFrame> for FrameResponse {
    fn from(frame: DataFrame) -> Self {
        Self::One(frame)
    }
}

impl From<Option<DataFrame>> for FrameResponse {
    fn from(frame: Option<DataFrame>) -> Self {
        frame.map_or(Self::None, Self::One)
    }
}
