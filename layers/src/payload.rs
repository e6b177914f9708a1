//! Payloads as they are on the wire.

use std::{cell::Cell, ops::Range};

use bytes::Bytes;
use bytestring::ByteString;
use serde::Serialize;

use crate::Error;

/// How payloads are written on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Codec {
    /// JSON text, RFC 8259.
    #[default]
    Json,
}

/// A payload that nobody has looked into yet: bytes, with the codec they are in. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RawPayload {
    codec: Codec,
    content: Content,
}

#[derive(Debug, Clone)]
enum Content {
    Absent,
    /// A part of a frame, which is known to be UTF-8: who parses it need not look again. A slice of it would count
    /// as one more holder of its buffer.
    Text {
        frame: ByteString,
        part: Range<usize>,
    },
    Bytes(Bytes),
}

impl RawPayload {
    /// No payload: the member is absent from the frame, which is not the same as null.
    #[must_use]
    pub const fn absent() -> Self {
        Self {
            codec: Codec::Json,
            content: Content::Absent,
        }
    }

    /// A payload in JSON text. The bytes must be one JSON value; [`of`](Self::of) makes them from a Rust one.
    #[must_use]
    pub fn json(text: impl Into<Bytes>) -> Self {
        Self {
            codec: Codec::Json,
            content: Content::Bytes(text.into()),
        }
    }

    /// [`json`](Self::json) for a part of a text.
    pub(crate) const fn part_of(frame: ByteString, part: Range<usize>) -> Self {
        Self {
            codec: Codec::Json,
            content: Content::Text { frame, part },
        }
    }

    /// A Rust value as a JSON payload.
    ///
    /// # Errors
    /// INTERNAL_SERVER_ERROR when the value can't be written as JSON.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, Error> {
        write_json(value)
            .map(Self::json)
            .map_err(|error| Error::internal(format!("a value can't be encoded as JSON: {error}")))
    }

    /// The payload with other bytes in the same codec; absent without any, since no codec writes a value as none.
    pub(crate) fn with_bytes(self, bytes: Bytes) -> Self {
        Self {
            codec: self.codec,
            content: if bytes.is_empty() {
                Content::Absent
            } else {
                Content::Bytes(bytes)
            },
        }
    }

    /// The codec that the bytes are in.
    #[must_use]
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// The bytes, if there is a payload.
    #[must_use]
    pub fn bytes(&self) -> Option<&[u8]> {
        match &self.content {
            Content::Absent => None,
            Content::Text { frame, part } => Some(frame[part.clone()].as_bytes()),
            Content::Bytes(bytes) => Some(bytes),
        }
    }

    /// The bytes to keep, if there is a payload: not copied, but a slice of a frame may keep all of it.
    #[must_use]
    pub fn to_bytes(&self) -> Option<Bytes> {
        match &self.content {
            Content::Absent => None,
            Content::Text { frame, part } => Some(frame.as_bytes().slice(part.clone())),
            Content::Bytes(bytes) => Some(bytes.clone()),
        }
    }

    /// The payload as JSON text, an absent one as `null`.
    #[must_use]
    pub fn as_json(&self) -> &[u8] {
        self.bytes().unwrap_or(b"null")
    }

    /// The payload as it is parsed fastest.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match &self.content {
            Content::Text { frame, part } => Some(&frame[part.clone()]),
            Content::Absent | Content::Bytes(_) => None,
        }
    }
}

impl PartialEq for RawPayload {
    fn eq(&self, other: &Self) -> bool {
        self.codec == other.codec && self.bytes() == other.bytes()
    }
}

impl Eq for RawPayload {}

/// Writes a value as JSON, in one allocation of its length: a vector with room to spare would cost `Bytes` one more.
pub(crate) fn write_json<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<Bytes> {
    /// What one large value leaves behind is not kept for ever.
    const KEPT_BYTES: usize = 64 * 1024;
    thread_local! {
        static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    }
    // Taken out: a value that writes another while it is written finds an empty one.
    let mut buffer = BUFFER.take();
    buffer.clear();
    serde_json::to_writer(&mut buffer, value)?;
    let written = Bytes::copy_from_slice(&buffer);
    if buffer.capacity() <= KEPT_BYTES {
        BUFFER.set(buffer);
    }
    Ok(written)
}
