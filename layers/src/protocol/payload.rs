use std::ops::Range;

use bytes::Bytes;
use serde::Serialize;

use super::{Codec, finite::write_value};
use crate::error::Error;

/// A payload that is not parsed: bytes, and the codec that they are encoded in. Cheap to clone if it was received.
#[derive(Debug, Clone)]
pub struct RawPayload {
    codec: Codec,
    content: Content,
}

#[derive(Debug, Clone)]
enum Content {
    Absent,
    /// Encoded by this crate. Conversion to `Bytes` would cost another allocation.
    Owned(Vec<u8>),
    /// A part of a frame. A slice of the frame would cost another reference to its buffer.
    Part {
        frame: Bytes,
        part: Range<usize>,
    },
}

impl RawPayload {
    /// Creates an absent payload: the frame has no such member. This differs from null.
    #[must_use]
    pub const fn absent() -> Self {
        Self {
            codec: Codec::Json,
            content: Content::Absent,
        }
    }

    /// Creates a payload from JSON text, which must be one JSON value. It is not checked. [`of`](Self::of) encodes a
    /// Rust value.
    #[must_use]
    pub fn json(text: impl Into<Bytes>) -> Self {
        let text = text.into();
        let part = 0..text.len();
        Self::part_of(Codec::Json, text, part)
    }

    /// Creates a payload that is a part of a frame.
    pub(crate) const fn part_of(codec: Codec, frame: Bytes, part: Range<usize>) -> Self {
        Self {
            codec,
            content: Content::Part { frame, part },
        }
    }

    /// Encodes a Rust value as a JSON payload.
    ///
    /// # Errors
    /// INTERNAL_SERVER_ERROR if the value can't be written as JSON, as one with a float that is NaN or infinite. Its
    /// message names the place.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, Error> {
        // The initial capacity of `serde_json::to_vec`.
        let mut text = Vec::with_capacity(128);
        write_value(&mut text, value)
            .map_err(|error| Error::internal(format!("a value can't be encoded as JSON: {error}")))?;
        Ok(Self {
            codec: Codec::Json,
            content: Content::Owned(text),
        })
    }

    /// Replaces the bytes, in the same codec. Without bytes the payload is absent, since every codec writes at least
    /// one byte for a value.
    #[cfg(feature = "http")]
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

    /// Returns the buffer of a payload that this crate encoded, for further writing. Returns any other payload
    /// unchanged.
    pub(super) fn into_vec(self) -> Result<Vec<u8>, Self> {
        match self.content {
            Content::Owned(bytes) => Ok(bytes),
            _ => Err(self),
        }
    }

    /// Returns the codec that the bytes are encoded in.
    #[must_use]
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// Returns the bytes, or none if the payload is absent.
    #[must_use]
    pub fn bytes(&self) -> Option<&[u8]> {
        match &self.content {
            Content::Absent => None,
            Content::Owned(bytes) => Some(bytes),
            Content::Part { frame, part } => frame.get(part.clone()),
        }
    }

    /// Returns the bytes as an owned buffer, or none if the payload is absent. Received bytes are not copied, and keep
    /// their whole frame in memory. Bytes that this crate encoded are copied.
    #[must_use]
    pub fn to_bytes(&self) -> Option<Bytes> {
        match &self.content {
            Content::Absent => None,
            Content::Owned(bytes) => Some(Bytes::copy_from_slice(bytes)),
            Content::Part { frame, part } => Some(frame.slice(part.clone())),
        }
    }

    /// Returns the bytes that the payload keeps in memory: those of its whole frame, if it is a part of one.
    pub(crate) fn footprint(&self) -> usize {
        match &self.content {
            Content::Absent => 0,
            Content::Owned(bytes) => bytes.capacity(),
            Content::Part { frame, .. } => frame.len(),
        }
    }

    /// Returns the payload as JSON text, or `null` if it is absent.
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
