//! The frames of the protocol, as the reference client reads and writes them.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use zocket_layers::protocol::words;

use crate::{
    client::ServerRefusal,
    testing::{
        record::{ACK, Welcome},
        sim::failure::Failure,
    },
};

pub(super) const PING: &str = r#"{"type":"__ping"}"#;

/// A frame that was received.
#[derive(Debug)]
pub(super) enum Frame {
    Welcome(Box<Welcome>),
    Pong,
    Ack(u64),
    Answer(u64, Result<Bytes, ServerRefusal>),
    /// The failure of a message without an id.
    Error(Bytes),
    /// An event's type and payload.
    Event(String, Bytes),
}

impl Frame {
    /// Returns true if the frame has a number in its direction.
    pub(super) const fn is_counted(&self) -> bool {
        matches!(self, Self::Answer(..) | Self::Error(_) | Self::Event(..))
    }
}

/// Parses a frame of the server.
pub(super) fn read(bytes: &Bytes) -> Result<Frame, Failure> {
    #[derive(Deserialize)]
    struct Raw<'a> {
        #[serde(borrow)]
        r#type: Cow<'a, str>,
        #[serde(borrow, default)]
        payload: Option<&'a RawValue>,
        #[serde(default, rename = "rpcId")]
        id: Option<u64>,
        #[serde(default)]
        error: Option<ServerRefusal>,
    }
    let unreadable = |error: &dyn std::fmt::Display| {
        let shown = String::from_utf8_lossy(bytes);
        Failure::other(format!(
            "expected a frame of the protocol, got another one: {error}: {shown}"
        ))
    };
    let raw: Raw<'_> = serde_json::from_slice(bytes).map_err(|error| unreadable(&error))?;
    let payload = match raw.payload {
        Some(payload) => bytes.slice_ref(payload.get().as_bytes()),
        None => Bytes::from_static(b"null"),
    };
    let id = || raw.id.ok_or_else(|| unreadable(&"it has no id of a call"));
    Ok(match &*raw.r#type {
        words::WELCOME => {
            Frame::Welcome(serde_json::from_slice(&payload).map_err(|error| unreadable(&error))?)
        }
        words::PONG => Frame::Pong,
        words::ANSWER => Frame::Answer(id()?, Ok(payload)),
        words::REFUSAL => {
            let refusal = raw.error.ok_or_else(|| unreadable(&"it has no error"))?;
            Frame::Answer(raw.id.ok_or_else(|| unreadable(&"no id"))?, Err(refusal))
        }
        words::ERROR => Frame::Error(payload),
        ACK => Frame::Ack(serde_json::from_slice(&payload).map_err(|error| unreadable(&error))?),
        reserved if reserved.starts_with(words::PREFIX) => {
            return Err(unreadable(&"its reserved type was not negotiated"));
        }
        _ => Frame::Event(raw.r#type.into_owned(), payload),
    })
}
