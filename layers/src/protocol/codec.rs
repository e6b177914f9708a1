//! Dispatch to the codecs. A new codec adds one file beside `json`, a line to each method here, and one each to
//! `Codec::ALL` and `Form::event_encoding`.

use std::ops::Range;

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

use super::{Codec, DataFrame, Form, Head, Kind, Malformed, RawPayload, RpcId, json};
use crate::error::Error;

impl Codec {
    /// Returns the WebSocket subprotocol that negotiates the extended protocol in this codec (RFC 6455, section 1.9).
    #[must_use]
    pub const fn subprotocol(self) -> &'static str {
        match self {
            Self::Json => json::SUBPROTOCOL,
        }
    }

    /// Returns the kind of data frame that this codec writes.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Json => Kind::Text,
        }
    }

    /// Reads the head of a frame. If the frame is malformed, reads the id nevertheless where possible, so that the
    /// refusal carries it.
    ///
    /// # Errors
    /// [`Malformed`] with PARSE_ERROR for bytes that are not a message.
    pub fn read_head(self, frame: &[u8]) -> Result<Head, Malformed> {
        match self {
            Self::Json => json::read(frame),
        }
    }

    /// Reads the head of a frame like [`read_head`](Self::read_head), without validating UTF-8 again.
    ///
    /// # Errors
    /// As with [`read_head`](Self::read_head).
    pub fn read_text_head(self, frame: &str) -> Result<Head, Malformed> {
        match self {
            Self::Json => json::read_text(frame),
        }
    }

    /// Writes the frame that answers a message with this payload, or with none.
    #[must_use]
    pub fn answer(self, payload: RawPayload, rpc_id: &RpcId) -> DataFrame {
        match self {
            Self::Json => json::answer(payload, rpc_id),
        }
    }

    /// Writes the frame that reports the failure of a message without an id. `route` is none if it could not be read.
    /// Part of the extended protocol.
    #[must_use]
    pub fn error(self, error: &Error, route: Option<&str>) -> DataFrame {
        match self {
            Self::Json => json::error(error, route),
        }
    }

    /// Writes the frame that reports why a handshake is refused. It has no data, for which a handshake has no contract. Part
    /// of the extended protocol.
    #[must_use]
    pub fn handshake_error(self, error: &Error) -> DataFrame {
        match self {
            Self::Json => json::error(&error.without_data(), None),
        }
    }

    /// Writes the server's first frame. Part of the extended protocol.
    #[must_use]
    pub fn welcome(self, payload: &Value) -> DataFrame {
        match self {
            Self::Json => json::welcome(payload),
        }
    }

    /// Returns the frame that answers a ping. Part of the extended protocol.
    #[must_use]
    pub const fn pong(self) -> DataFrame {
        match self {
            Self::Json => json::PONG,
        }
    }

    /// Writes the frame that acknowledges the frames up to number `n`. Part of the extended protocol.
    #[must_use]
    pub fn ack(self, n: u64) -> DataFrame {
        match self {
            Self::Json => json::ack(n),
        }
    }

    /// Reads the number of an acknowledgement, a whole frame with this head. Returns none for a payload that is no whole
    /// number.
    #[must_use]
    pub fn read_ack(self, frame: &[u8], head: &Head) -> Option<u64> {
        match self {
            Self::Json => json::read_ack(frame.get(head.payload.clone()?)?),
        }
    }

    /// Writes a value as an event: a whole WebSocket frame, header included. Returns the frame, and the range of the
    /// payload in it.
    pub(crate) fn event_of<P: Serialize + ?Sized>(
        self,
        name: &str,
        payload: &P,
    ) -> Result<(Bytes, Range<usize>), serde_json::Error> {
        match self {
            Self::Json => json::event_of(name, payload),
        }
    }

    /// Writes an event from an encoded payload: a whole WebSocket frame, header included.
    pub(crate) fn event(self, name: &str, payload: &RawPayload) -> Bytes {
        match self {
            Self::Json => json::event(name, payload),
        }
    }
}

impl Form {
    /// Writes the frame that refuses a message. The base protocol has no data of refusals.
    #[must_use]
    pub fn refusal(self, error: &Error, rpc_id: &RpcId) -> DataFrame {
        match (self.codec, self.is_extended()) {
            (Codec::Json, true) => json::refusal(error, rpc_id),
            (Codec::Json, false) => json::refusal(&error.without_data(), rpc_id),
        }
    }
}
