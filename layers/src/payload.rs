//! Payloads as they are on the wire.

use std::ops::Range;

use bytes::Bytes;
use serde::Serialize;

use crate::{Error, RpcId};

/// `{"type":"__rpc_res","payload":…,"rpcId":…}` up to the payload, without one up to the id, and from there to the id.
const ANSWER_BEGINS: &[u8] = br#"{"type":"__rpc_res","payload":"#;
const NO_ANSWER: &[u8] = br#"{"type":"__rpc_res""#;
const ANSWER_GOES_TO: &[u8] = br#","rpcId":"#;

/// How payloads are written on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Codec {
    /// JSON text, RFC 8259.
    #[default]
    Json,
}

/// A payload that nobody has looked into yet: bytes, with the codec they are in. A client's is cheap to clone.
#[derive(Debug, Clone)]
pub struct RawPayload {
    codec: Codec,
    content: Content,
}

#[derive(Debug, Clone)]
enum Content {
    Absent,
    /// Written here: a frame's beginning, and what stands behind it.
    Answer(Vec<u8>),
    /// A part of a frame. A slice of it would count as one more holder of its buffer.
    Part {
        frame: Bytes,
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

    /// [`json`](Self::json) for a part of a frame.
    pub(crate) const fn part_of(frame: Bytes, part: Range<usize>) -> Self {
        Self {
            codec: Codec::Json,
            content: Content::Part { frame, part },
        }
    }

    /// A Rust value as a JSON payload.
    ///
    /// # Errors
    /// INTERNAL_SERVER_ERROR when the value can't be written as JSON.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, Error> {
        // Most often it is an answer: so it is written where it will be sent from.
        let mut frame = Vec::with_capacity(256);
        frame.extend_from_slice(ANSWER_BEGINS);
        serde_json::to_writer(&mut frame, value)
            .map_err(|error| Error::internal(format!("a value can't be encoded as JSON: {error}")))?;
        Ok(Self {
            codec: Codec::Json,
            content: Content::Answer(frame),
        })
    }

    /// The frame that answers with this payload, or with none.
    pub(crate) fn into_frame(self, rpc_id: &RpcId) -> Vec<u8> {
        let mut frame = match self.content {
            Content::Answer(frame) => frame,
            _ => match self.bytes() {
                Some(answer) if !answer.is_empty() => [ANSWER_BEGINS, answer].concat(),
                _ => NO_ANSWER.to_vec(),
            },
        };
        for part in [ANSWER_GOES_TO, rpc_id.as_json().as_bytes(), b"}"] {
            frame.extend_from_slice(part);
        }
        frame
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
            Content::Answer(frame) => frame.get(ANSWER_BEGINS.len()..),
            Content::Part { frame, part } => frame.get(part.clone()),
            Content::Bytes(bytes) => Some(bytes),
        }
    }

    /// The bytes to keep, if there is a payload: a client's are not copied, and may keep their whole frame.
    #[must_use]
    pub fn to_bytes(&self) -> Option<Bytes> {
        match &self.content {
            Content::Absent => None,
            Content::Answer(_) => self.bytes().map(Bytes::copy_from_slice),
            Content::Part { frame, part } => Some(frame.slice(part.clone())),
            Content::Bytes(bytes) => Some(bytes.clone()),
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
