//! Serialisation and parsing of the protocol's frames.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use zocket_layers::{internal::write_json, protocol::words};

use super::{server_refusal::ServerRefusal, status::Welcome};

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
pub(crate) enum Incoming {
    Welcome(Welcome),
    /// A call's id and its result.
    Answer(u64, Result<Bytes, ServerRefusal>),
    /// An event's type and payload.
    Event(String, Bytes),
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

/// Parses a frame. Returns `None` for frames that a client ignores: unknown frames of the protocol, and answers
/// without a valid call id.
pub(crate) fn read(bytes: &Bytes) -> Result<Option<Incoming>, serde_json::Error> {
    let frame: Frame<'_> = serde_json::from_slice(bytes)?;
    let payload = match frame.payload {
        Some(payload) => bytes.slice_ref(payload.get().as_bytes()),
        None => Bytes::from_static(b"null"),
    };
    let id = || frame.id.and_then(|id| id.get().parse::<u64>().ok());
    Ok(match &*frame.r#type {
        words::WELCOME => Some(Incoming::Welcome(serde_json::from_slice(&payload)?)),
        words::ANSWER => id().map(|id| Incoming::Answer(id, Ok(payload))),
        words::REFUSAL => id().map(|id| Incoming::Answer(id, Err(refusal(frame.error)))),
        other if other == words::ERROR || !other.starts_with(words::PREFIX) => {
            Some(Incoming::Event(frame.r#type.into_owned(), payload))
        }
        _ => None,
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
            Ok(Some(Incoming::Answer(1, Ok(payload)))) if payload == "null"
        ));
        assert!(matches!(
            read(r#"{"type":"__rpc_err","rpcId":1,"error":{"code":"X","message":"y","retryAfterMs":5}}"#),
            Ok(Some(Incoming::Answer(1, Err(refusal))))
                if refusal.code == "X" && refusal.retry_after.map(|wait| wait.as_millis()) == Some(5)
        ));
        assert!(matches!(
            read(r#"{"type":"__rpc_err","rpcId":1}"#),
            Ok(Some(Incoming::Answer(1, Err(refusal)))) if refusal.code == "PARSE_ERROR"
        ));
        for ignored in [
            r#"{"type":"__rpc_res","rpcId":"1"}"#,
            r#"{"type":"__rpc_res"}"#,
            r#"{"type":"__later","payload":1}"#,
        ] {
            assert!(matches!(read(ignored), Ok(None)), "{ignored}");
        }
        assert!(read("{").is_err());
        assert!(matches!(
            read(r#"{"type":"a","payload":{"b":1},"more":2}"#),
            Ok(Some(Incoming::Event(event_type, payload))) if event_type == "a" && payload == r#"{"b":1}"#
        ));
    }
}
