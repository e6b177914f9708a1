//! Serialisation and parsing of the protocol's frames.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use zocket_layers::{internal::write_json, protocol::words};

use super::server_refusal::ServerRefusal;

/// Frame that requests a pong.
pub(super) const PING: &str = r#"{"type":"__ping"}"#;
/// Frame that does nothing. It is sent again in place of a call that nobody waits for any more.
pub(super) const VOID: &str = r#"{"type":"__void"}"#;
/// Bytes by which each frame counts more than its length, in both records of a session.
pub(super) const FRAME_WEIGHT: usize = 64;

/// Serialises an acknowledgement of the frames up to this number.
pub(super) fn ack(number: u64) -> String {
    format!(r#"{{"type":"{}","payload":{number}}}"#, words::ACK)
}

/// Serialises an outgoing message.
pub(crate) fn write(
    route: &str,
    payload: &(impl Serialize + ?Sized),
    id: Option<u64>,
) -> Result<String, serde_json::Error> {
    #[derive(Serialize)]
    struct Frame<'a, P: ?Sized> {
        r#type: &'a str,
        payload: &'a P,
        #[serde(rename = "rpcId", skip_serializing_if = "Option::is_none")]
        id: Option<u64>,
    }
    let mut frame = Vec::with_capacity(128);
    write_json(
        &mut frame,
        &Frame {
            r#type: route,
            payload,
            id,
        },
    )?;
    String::from_utf8(frame).map_err(serde::ser::Error::custom)
}

/// A received frame.
#[derive(Debug)]
pub(crate) enum ServerFrame {
    /// The payload of a welcome.
    Welcome(Bytes),
    Ping,
    Pong,
    /// An acknowledgement of the messages up to a number. `None` if it is no whole number.
    Ack(Option<u64>),
    /// A call's id and its result.
    Answer(u64, Result<Bytes, ServerRefusal>),
    /// An event's type and payload.
    Event(String, Bytes),
    /// A frame that a client ignores: an unknown one of the protocol, or an answer without a valid call id.
    Unknown,
}

impl ServerFrame {
    /// Returns true if the frame has a number in a session that can be resumed.
    pub(super) const fn is_counted(&self) -> bool {
        match self {
            Self::Welcome(_) | Self::Ping | Self::Pong | Self::Ack(_) => false,
            Self::Answer(..) | Self::Event(..) | Self::Unknown => true,
        }
    }
}

#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    #[serde(borrow, default)]
    payload: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "rpcId")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

/// Parses a frame.
pub(crate) fn read(bytes: &Bytes) -> Result<ServerFrame, serde_json::Error> {
    let frame: Frame<'_> = serde_json::from_slice(bytes)?;
    let payload = match frame.payload {
        Some(payload) => bytes.slice_ref(payload.get().as_bytes()),
        None => Bytes::from_static(b"null"),
    };
    let answer = |result| match frame.id.and_then(|id| id.get().parse::<u64>().ok()) {
        Some(id) => ServerFrame::Answer(id, result),
        None => ServerFrame::Unknown,
    };
    Ok(match &*frame.r#type {
        words::WELCOME => ServerFrame::Welcome(payload),
        words::PING => ServerFrame::Ping,
        words::PONG => ServerFrame::Pong,
        words::ACK => ServerFrame::Ack(serde_json::from_slice(&payload).ok()),
        words::ANSWER => answer(Ok(payload)),
        words::REFUSAL => answer(Err(refusal(frame.error))),
        other if other == words::ERROR || !other.starts_with(words::PREFIX) => {
            ServerFrame::Event(frame.r#type.into_owned(), payload)
        }
        _ => ServerFrame::Unknown,
    })
}

/// Parses a refusal. An unreadable one still counts as a refusal, with the code `PARSE_ERROR`.
fn refusal(error: Option<&RawValue>) -> ServerRefusal {
    let read = error.map(|error| serde_json::from_str(error.get()));
    match read {
        Some(Ok(refusal)) => refusal,
        _ => ServerRefusal::new(
            "PARSE_ERROR",
            "expected a refusal with a code and a message, got something else",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_written_as_the_protocol_says() {
        assert_eq!(
            write("a.b", &(1, "x"), Some(7)).unwrap(),
            r#"{"type":"a.b","payload":[1,"x"],"rpcId":7}"#
        );
        assert_eq!(write("a", &(), None).unwrap(), r#"{"type":"a","payload":null}"#);
        assert_eq!(
            write("a", &[None, Some(f64::NAN)], None).unwrap_err().to_string(),
            "payload[1]: expected a finite number, got NaN"
        );
    }

    #[test]
    fn frames_are_parsed_and_unknown_types_are_ignored() {
        let read = |json: &'static str| read(&Bytes::from_static(json.as_bytes()));
        assert!(matches!(
            read(r#"{"type":"__rpc_res","rpcId":1}"#),
            Ok(ServerFrame::Answer(1, Ok(payload))) if payload == "null"
        ));
        assert!(matches!(
            read(r#"{"type":"__rpc_err","rpcId":1,"error":{"code":"X","message":"y","retryAfterMs":5}}"#),
            Ok(ServerFrame::Answer(1, Err(refusal)))
                if refusal.code == "X" && refusal.retry_after.map(|wait| wait.as_millis()) == Some(5)
        ));
        assert!(matches!(
            read(r#"{"type":"__rpc_err","rpcId":1}"#),
            Ok(ServerFrame::Answer(1, Err(refusal))) if refusal.code == "PARSE_ERROR"
        ));
        for ignored in [
            r#"{"type":"__rpc_res","rpcId":"1"}"#,
            r#"{"type":"__rpc_res"}"#,
            r#"{"type":"__later","payload":1}"#,
        ] {
            assert!(matches!(read(ignored), Ok(ServerFrame::Unknown)), "{ignored}");
        }
        assert!(read("{").is_err());
        assert!(matches!(
            read(r#"{"type":"a","payload":{"b":1},"more":2}"#),
            Ok(ServerFrame::Event(event_type, payload)) if event_type == "a" && payload == r#"{"b":1}"#
        ));
    }

    #[test]
    fn every_frame_but_four_is_counted() {
        let read = |json: &'static str| read(&Bytes::from_static(json.as_bytes())).unwrap();
        for uncounted in ["__welcome", "__ping", "__pong", "__ack"] {
            let frame = Bytes::from(format!(r#"{{"type":"{uncounted}"}}"#));
            assert!(!super::read(&frame).unwrap().is_counted(), "{uncounted}");
        }
        for counted in [
            r#"{"type":"__later"}"#,
            r#"{"type":"__error","payload":{}}"#,
            r#"{"type":"__rpc_res"}"#,
            r#"{"type":"__rpc_err","rpcId":1}"#,
            r#"{"type":"a"}"#,
        ] {
            assert!(read(counted).is_counted(), "{counted}");
        }
        assert!(matches!(
            read(r#"{"type":"__ack","payload":7}"#),
            ServerFrame::Ack(Some(7))
        ));
        for number in ["-1", "1.5", "null", "\"7\""] {
            let frame = Bytes::from(format!(r#"{{"type":"__ack","payload":{number}}}"#));
            assert!(
                matches!(super::read(&frame), Ok(ServerFrame::Ack(None))),
                "{number}"
            );
        }
    }
}
