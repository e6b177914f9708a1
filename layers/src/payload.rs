//! Payloads as they are on the wire.

use bytes::Bytes;
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawPayload {
    codec: Codec,
    bytes: Option<Bytes>,
}

impl RawPayload {
    /// No payload: the member is absent from the frame, which is not the same as null.
    #[must_use]
    pub const fn absent() -> Self {
        Self {
            codec: Codec::Json,
            bytes: None,
        }
    }

    /// A payload in JSON text. The bytes must be one JSON value; [`of`](Self::of) makes them from a Rust one.
    #[must_use]
    pub fn json(text: impl Into<Bytes>) -> Self {
        Self {
            codec: Codec::Json,
            bytes: Some(text.into()),
        }
    }

    /// A Rust value as a JSON payload.
    ///
    /// # Errors
    /// INTERNAL_SERVER_ERROR when the value can't be written as JSON.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, Error> {
        serde_json::to_vec(value)
            .map(Self::json)
            .map_err(|error| Error::internal(format!("a value can't be encoded as JSON: {error}")))
    }

    /// The payload with other bytes in the same codec; absent without any, since no codec writes a value as none.
    pub(crate) fn with_bytes(self, bytes: Bytes) -> Self {
        Self {
            codec: self.codec,
            bytes: (!bytes.is_empty()).then_some(bytes),
        }
    }

    /// The codec that the bytes are in.
    #[must_use]
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// The bytes, if there is a payload.
    #[must_use]
    pub fn bytes(&self) -> Option<&Bytes> {
        self.bytes.as_ref()
    }

    /// The payload as JSON text, an absent one as `null`.
    #[must_use]
    pub fn as_json(&self) -> &[u8] {
        self.bytes.as_deref().unwrap_or(b"null")
    }
}
