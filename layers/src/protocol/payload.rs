use std::ops::Range;

use bytes::Bytes;
use serde::Serialize;

use super::Codec;
use crate::error::Error;

/// A payload that nobody has parsed yet: bytes, with the codec they are in. One from a client is cheap to clone.
#[derive(Debug, Clone)]
pub struct RawPayload {
    codec: Codec,
    content: Content,
}

#[derive(Debug, Clone)]
enum Content {
    Absent,
    /// Written here. As `Bytes` it would cost an allocation more.
    Owned(Vec<u8>),
    /// A part of a frame. A slice of it would count as one more holder of its buffer.
    Part {
        frame: Bytes,
        part: Range<usize>,
    },
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
        let text = text.into();
        let part = 0..text.len();
        Self::part_of(Codec::Json, text, part)
    }

    /// A payload that is a part of a frame.
    pub(crate) const fn part_of(codec: Codec, frame: Bytes, part: Range<usize>) -> Self {
        Self {
            codec,
            content: Content::Part { frame, part },
        }
    }

    /// A Rust value as a JSON payload.
    ///
    /// # Errors
    /// INTERNAL_SERVER_ERROR when the value can't be written as JSON.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, Error> {
        let text = serde_json::to_vec(value)
            .map_err(|error| Error::internal(format!("a value can't be encoded as JSON: {error}")))?;
        Ok(Self {
            codec: Codec::Json,
            content: Content::Owned(text),
        })
    }

    /// The payload with other bytes in the same codec; absent without any, since no codec writes a value as none.
    pub(crate) fn with_bytes(self, bytes: Bytes) -> Self {
        let part = 0..bytes.len();
        match bytes.is_empty() {
            true => Self {
                codec: self.codec,
                content: Content::Absent,
            },
            false => Self::part_of(self.codec, bytes, part),
        }
    }

    /// The bytes of a payload that was written here, to be written on.
    pub(super) fn into_vec(self) -> Result<Vec<u8>, Self> {
        match self.content {
            Content::Owned(bytes) => Ok(bytes),
            _ => Err(self),
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
            Content::Owned(bytes) => Some(bytes),
            Content::Part { frame, part } => frame.get(part.clone()),
        }
    }

    /// The bytes to keep, if there is a payload: those of a client are not copied, and may keep their whole frame.
    #[must_use]
    pub fn to_bytes(&self) -> Option<Bytes> {
        match &self.content {
            Content::Absent => None,
            Content::Owned(bytes) => Some(Bytes::copy_from_slice(bytes)),
            Content::Part { frame, part } => Some(frame.slice(part.clone())),
        }
    }

    /// The payload as JSON text, an absent one as `null`.
    #[must_use]
    pub fn as_json(&self) -> &[u8] {
        self.bytes().unwrap_or(b"null")
    }
}

impl PartialEq for RawPayload {
    fn eq(&self, other: &Self) -> bool {
        self.codec == other.codec && self.bytes() == other.bytes()
    }
}

impl Eq for RawPayload {}
