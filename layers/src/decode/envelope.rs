//! What stands around a payload.

use bytes::Bytes;
use bytestring::ByteString;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{Code, Error, RawPayload, RpcId};

/// A frame's members, each a slice of the frame.
#[derive(Debug)]
pub(super) struct Envelope {
    pub(super) route: ByteString,
    pub(super) payload: RawPayload,
}

#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow, rename = "type")]
    route: Option<&'a RawValue>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
    #[serde(borrow, rename = "rpcId")]
    rpc_id: Option<&'a RawValue>,
}

/// Reads a frame's members. The id is read even where nothing else can be, so that the refusal has it.
pub(super) fn read(bytes: &Bytes) -> (Option<RpcId>, Result<Envelope, Error>) {
    let refuse = |message: String| Error::new(Code::PARSE_ERROR, message);
    // Looked through once: what is cut out of text is text.
    let frame = match ByteString::try_from(bytes.clone()) {
        Ok(frame) => frame,
        Err(error) => {
            return (
                read_id_alone(bytes),
                Err(refuse(format!("expected a JSON object: {error}"))),
            );
        }
    };
    // serde would take an array for an object.
    if !frame.trim_ascii_start().starts_with('{') {
        return (None, Err(refuse("expected a JSON object".to_owned())));
    }
    let members = match serde_json::from_str::<Members<'_>>(&frame) {
        Ok(members) => members,
        Err(error) => {
            return (
                read_id_alone(bytes),
                Err(refuse(format!("expected a JSON object: {error}"))),
            );
        }
    };
    let rpc_id = match members
        .rpc_id
        .map(|id| RpcId::from_json(frame.slice_ref(id.get())))
    {
        None => None,
        Some(Ok(rpc_id)) => rpc_id,
        Some(Err(invalid)) => return (None, Err(refuse(invalid.to_string()))),
    };
    let route = match members
        .route
        .map(|route| (route.get(), read_string(&frame, route.get())))
    {
        Some((_, Some(route))) => route,
        Some((other, None)) => {
            let what = match other.as_bytes().first() {
                Some(b'"') => "a string that is no Unicode",
                Some(b'{') => "an object",
                Some(b'[') => "an array",
                Some(b't' | b'f') => "a boolean",
                _ => "a number",
            };
            return (
                rpc_id,
                Err(refuse(format!("type: expected a string, got {what}"))),
            );
        }
        None => {
            return (
                rpc_id,
                Err(refuse("type: expected a string, got nothing".to_owned())),
            );
        }
    };
    let payload = members.payload.map_or(RawPayload::absent(), |payload| {
        RawPayload::text(frame.slice_ref(payload.get()))
    });
    (rpc_id, Ok(Envelope { route, payload }))
}

/// The id of an object that has another member twice, or is UTF-8 only as far as the id.
fn read_id_alone(frame: &Bytes) -> Option<RpcId> {
    #[derive(Deserialize)]
    struct Id<'a> {
        #[serde(borrow, rename = "rpcId")]
        rpc_id: Option<&'a RawValue>,
    }
    let id: Id<'_> = serde_json::from_slice(frame).ok()?;
    RpcId::from_json(id.rpc_id?.get().into()).ok()?
}

/// A JSON string's content, sharing the frame's bytes where nothing in it is escaped.
fn read_string(frame: &ByteString, token: &str) -> Option<ByteString> {
    match token.strip_prefix('"')?.strip_suffix('"')? {
        plain if !plain.contains('\\') => Some(frame.slice_ref(plain)),
        _ => serde_json::from_str::<String>(token).ok().map(Into::into),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(frame: &'static str) -> (Option<String>, String) {
        let (rpc_id, envelope) = read(&Bytes::from_static(frame.as_bytes()));
        (rpc_id.map(|id| id.to_string()), envelope.unwrap_err().to_string())
    }

    #[test]
    fn members_are_slices_of_the_frame() {
        let frame = Bytes::from_static(br#" {"payload": {"a":[1]} ,"type":"chat.post","rpcId":"x"}"#);
        let (rpc_id, envelope) = read(&frame);
        let envelope = envelope.unwrap();
        assert_eq!(rpc_id.unwrap().as_json(), "\"x\"");
        assert_eq!(&*envelope.route, "chat.post");
        let payload = envelope.payload.bytes().unwrap();
        assert_eq!(&payload[..], br#"{"a":[1]}"#);
        assert!(frame.as_ptr_range().contains(&payload.as_ptr()));
    }

    #[test]
    fn an_escaped_type_is_read() {
        let (_, envelope) = read(&Bytes::from_static(br#"{"type":"chat\u002epost"}"#));
        assert_eq!(&*envelope.unwrap().route, "chat.post");
    }

    #[test]
    fn a_missing_or_wrong_type_is_refused_by_its_id() {
        assert_eq!(
            refused(r#"{"rpcId":1}"#),
            (
                Some("1".into()),
                "PARSE_ERROR: type: expected a string, got nothing".into()
            )
        );
        assert_eq!(
            refused(r#"{"type":[],"rpcId":1}"#),
            (
                Some("1".into()),
                "PARSE_ERROR: type: expected a string, got an array".into()
            )
        );
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for frame in ["", "[\"chat.post\"]", "null", "{", "{} {}", "\u{feff}{}"] {
            assert!(
                refused(frame)
                    .1
                    .starts_with("PARSE_ERROR: expected a JSON object"),
                "{frame}"
            );
        }
    }

    #[test]
    fn what_is_no_utf_8_is_refused_by_its_id() {
        let (rpc_id, envelope) = read(&Bytes::from_static(
            b"{\"rpcId\":1,\"payload\":\"\xff\",\"type\":\"a\"}",
        ));
        assert_eq!(rpc_id.unwrap().as_json(), "1");
        assert!(envelope.unwrap_err().message().contains("utf-8"));
    }

    #[test]
    fn a_member_named_twice_is_refused() {
        assert!(
            refused(r#"{"type":"a","type":"b"}"#)
                .1
                .contains("duplicate field")
        );
    }
}
