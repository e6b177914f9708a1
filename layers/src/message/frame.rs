use bytes::Bytes;

use super::Message;
use crate::{
    connection::{Connection, Turn},
    protocol::{DataFrame, Head, Kind, Malformed, RawPayload, RpcId},
};

/// A data frame that came from a client: the request of the outermost service of a stack.
///
/// Its head is read at most once: by the connection, where a codec was negotiated, or by
/// [`DecodeLayer`](crate::DecodeLayer). To a stack without that layer a frame is opaque.
#[derive(Debug)]
pub struct Frame {
    connection: Connection,
    data: DataFrame,
    head: Option<Result<Head, Malformed>>,
    turn: Option<Turn>,
}

impl Frame {
    /// A text frame whose head has not been read.
    pub fn new(connection: Connection, text: impl AsRef<str> + Into<Bytes>) -> Self {
        Self::opaque(connection, DataFrame::text(text))
    }

    /// A frame whose head has not been read.
    #[must_use]
    pub const fn opaque(connection: Connection, data: DataFrame) -> Self {
        Self {
            connection,
            data,
            head: None,
            turn: None,
        }
    }

    /// A text frame whose head is read now. The text is not validated again.
    pub fn read_text(connection: Connection, text: impl AsRef<str> + Into<Bytes>) -> Self {
        let head = connection.form().codec.read_text_head(text.as_ref());
        Self {
            head: Some(head),
            ..Self::new(connection, text)
        }
    }

    /// A binary frame whose head is read now.
    pub fn read_binary(connection: Connection, bytes: impl Into<Bytes>) -> Self {
        let mut frame = Self::opaque(connection, DataFrame::binary(bytes));
        frame.read();
        frame
    }

    fn read(&mut self) {
        if self.head.is_none() {
            self.head = Some(self.connection.form().codec.read_head(self.data.bytes()));
        }
    }

    /// The head, if it has been read and the frame is a message.
    #[must_use]
    pub fn head(&self) -> Option<&Head> {
        self.head.as_ref()?.as_ref().ok()
    }

    /// The id that the answer carries, if it has been read and an answer is wanted. A frame that is no message may have
    /// one.
    #[must_use]
    pub fn rpc_id(&self) -> Option<&RpcId> {
        match self.head.as_ref()? {
            Ok(head) => head.rpc_id(),
            Err(malformed) => malformed.rpc_id.as_ref(),
        }
    }

    /// The connection that the frame came by.
    #[must_use]
    pub const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The content.
    #[must_use]
    pub const fn data(&self) -> &DataFrame {
        &self.data
    }

    /// The content, to send it back or to keep it.
    #[must_use]
    pub fn into_data(self) -> DataFrame {
        self.data
    }

    /// Text or binary.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.data.kind()
    }

    /// Bytes of the content.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.data.bytes().len()
    }

    /// Returns true for a frame without content.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Gives the frame a turn of its connection.
    pub const fn set_turn(&mut self, turn: Turn) {
        self.turn = Some(turn);
    }

    /// Turns the frame into a message. The payload is a part of the frame, not a copy.
    ///
    /// # Errors
    /// [`Malformed`] for a frame that is no message, with the connection to tell its sender by.
    pub fn into_message(mut self) -> Result<Message, (Connection, Malformed)> {
        self.read();
        let Self {
            connection,
            data,
            head,
            turn,
        } = self;
        let codec = connection.form().codec;
        let mut head = match head {
            Some(Ok(head)) => head,
            Some(Err(malformed)) => return Err((connection, malformed)),
            None => Head::default(),
        };
        let payload = head.payload.take().map_or(RawPayload::absent(), |part| {
            RawPayload::part_of(codec, data.into_bytes(), part)
        });
        let mut message = Message::with_head(connection, head, payload);
        message.parts_mut().set_turn(turn);
        Ok(message)
    }
}

/// The response of the outermost service of a stack.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum FrameResponse {
    /// Nothing is sent.
    #[default]
    Empty,
    /// One frame is sent.
    One(DataFrame),
}

impl FrameResponse {
    /// The content of the frame, if there is one.
    #[must_use]
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Empty => None,
            Self::One(frame) => Some(frame.bytes()),
        }
    }

    /// The frame, if there is one.
    #[must_use]
    pub fn into_frame(self) -> Option<DataFrame> {
        match self {
            Self::Empty => None,
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
        frame.map_or(Self::Empty, Self::One)
    }
}
