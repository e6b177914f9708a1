//! What stands around a payload.

use std::{fmt, ops::Range, str};

use bytes::Bytes;
use bytestring::ByteString;
use memchr::{memchr, memrchr};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{Code, Error, Name, RawPayload, RpcId};

/// A frame's members but for its id. What is long shares the frame's buffer.
#[derive(Debug)]
pub(super) struct Envelope {
    pub(super) route: Name,
    pub(super) payload: RawPayload,
}

impl Envelope {
    fn new(frame: ByteString, route: Name, payload: Option<Range<usize>>) -> Self {
        let payload = payload.map_or(RawPayload::absent(), |part| RawPayload::part_of(frame, part));
        Self { route, payload }
    }
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
pub(super) fn read(bytes: Bytes) -> (Option<RpcId>, Result<Envelope, Error>) {
    let refuse = |message: String| Error::new(Code::PARSE_ERROR, message);
    let no_object = |bytes: &[u8], error: &dyn fmt::Display| {
        let error = refuse(format!("expected a JSON object: {error}"));
        (read_id_alone(bytes), Err(error))
    };
    // What is cut out of text is text.
    let frame = match str::from_utf8(&bytes) {
        // Looked through twice, which costs less than to hold the bytes twice, in case that they are none.
        Ok(_) => ByteString::try_from(bytes).unwrap_or_default(),
        Err(error) => return no_object(&bytes, &error),
    };
    if let Some((rpc_id, route, payload)) = read_usual(&frame) {
        return (rpc_id, Ok(Envelope::new(frame, route, payload)));
    }
    // serde would take an array for an object.
    if !frame.trim_ascii_start().starts_with('{') {
        return (None, Err(refuse("expected a JSON object".to_owned())));
    }
    let members = match serde_json::from_str::<Members<'_>>(&frame) {
        Ok(members) => members,
        Err(error) => return no_object(frame.as_bytes(), &error),
    };
    let rpc_id = match members.rpc_id.map(|id| RpcId::from_json(&frame, id.get())) {
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
    let payload = members.payload.map(|payload| place(&frame, payload.get()));
    (rpc_id, Ok(Envelope::new(frame, route, payload)))
}

/// Where in a text a part of it stands.
fn place(whole: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr().addr() - whole.as_ptr().addr();
    start..start + part.len()
}

/// The members of a frame as clients write it: `{"type":…,"payload":…,"rpcId":…}` in this order, nothing between them,
/// nothing escaped in type and id. To read it by keys costs more than twice as much; what is not written like this is
/// read so, and refused there if it has to be.
fn read_usual(frame: &ByteString) -> Option<(Option<RpcId>, Name, Option<Range<usize>>)> {
    let rest = frame.strip_prefix(r#"{"type":""#)?;
    let (route, rest) = rest.split_at(memchr(b'"', rest.as_bytes())?);
    let rest = rest[1..].strip_suffix('}')?;
    let id = match rest.as_bytes() {
        [before @ .., b'"'] => before.len() + 1 - memrchr(b'"', before)?,
        bytes => bytes
            .iter()
            .rev()
            .take_while(|byte| byte.is_ascii_digit())
            .count(),
    };
    let (before, id) = rest.split_at(rest.len() - id);
    let (rest, rpc_id) = match before.strip_suffix(r#","rpcId":"#) {
        Some(rest) => (rest, RpcId::from_json(frame, id).ok()?),
        None => (rest, None),
    };
    let is_plain = |text: &str| text.bytes().all(|byte| byte >= b' ' && byte != b'\\');
    if !is_plain(route) || !is_plain(id) || (id.len() > 1 && id.starts_with('0')) {
        return None;
    }
    let payload = match rest {
        "" => None,
        rest => match serde_json::from_str::<&RawValue>(rest.strip_prefix(r#","payload":"#)?)
            .ok()?
            .get()
        {
            "null" => None,
            payload => Some(place(frame, payload)),
        },
    };
    Some((rpc_id, Name::part_of(frame, route), payload))
}

/// The id of an object that has another member twice, or is UTF-8 only as far as the id.
fn read_id_alone(frame: &[u8]) -> Option<RpcId> {
    #[derive(Deserialize)]
    struct Id<'a> {
        #[serde(borrow, rename = "rpcId")]
        rpc_id: Option<&'a RawValue>,
    }
    let id: Id<'_> = serde_json::from_slice(frame).ok()?;
    let id = id.rpc_id?.get().into();
    RpcId::from_json(&id, &id).ok()?
}

/// A JSON string's content.
fn read_string(frame: &ByteString, token: &str) -> Option<Name> {
    match token.strip_prefix('"')?.strip_suffix('"')? {
        plain if !plain.as_bytes().contains(&b'\\') => Some(Name::part_of(frame, plain)),
        _ => serde_json::from_str::<String>(token).ok().map(Into::into),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(frame: &'static str) -> (Option<String>, String) {
        let (rpc_id, envelope) = read(Bytes::from_static(frame.as_bytes()));
        (rpc_id.map(|id| id.to_string()), envelope.unwrap_err().to_string())
    }

    #[test]
    fn members_are_slices_of_the_frame() {
        let frame = Bytes::from_static(br#" {"payload": {"a":[1]} ,"type":"chat.post","rpcId":"x"}"#);
        let (rpc_id, envelope) = read(frame.clone());
        let envelope = envelope.unwrap();
        assert_eq!(rpc_id.unwrap().as_json(), "\"x\"");
        assert_eq!(&*envelope.route, "chat.post");
        let payload = envelope.payload.bytes().unwrap();
        assert_eq!(payload, br#"{"a":[1]}"#);
        assert!(frame.as_ptr_range().contains(&payload.as_ptr()));
    }

    #[test]
    fn an_escaped_type_is_read() {
        let (_, envelope) = read(Bytes::from_static(br#"{"type":"chat\u002epost"}"#));
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

    /// Members read by their keys.
    fn by_keys(frame: &Bytes) -> Option<(Option<RpcId>, Envelope)> {
        // A space keeps it from being written as usual.
        let spaced = Bytes::from([b" ", &frame[..]].concat());
        let (rpc_id, envelope) = read(spaced);
        Some((rpc_id, envelope.ok()?))
    }

    #[test]
    fn what_is_written_as_usual_is_what_its_keys_say() {
        let usual = [
            r#"{"type":"chat.post","payload":{"a":"b\"c","n":[1,2.5e3,null]},"rpcId":"a-17"}"#,
            r#"{"type":"a","payload":"x","rpcId":7}"#,
            r#"{"type":"a","payload":{"rpcId":"x"}}"#,
            r#"{"type":"a","rpcId":""}"#,
            r#"{"type":"a","payload":null,"rpcId":10}"#,
            r#"{"type":"é","payload":[]}"#,
            r#"{"type":""}"#,
        ];
        let bytes = br#"{}[]",:\01x e"#;
        let (mut read_so, mut random) = (0, 1_u64);
        let mut below = |limit: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) as usize % limit
        };
        for round in 0..40_000 {
            let mut frame = usual[round % usual.len()].as_bytes().to_vec();
            for _ in 0..round % 4 {
                let at = below(frame.len());
                match below(3) {
                    0 => drop(frame.remove(at)),
                    1 => frame[at] = bytes[below(bytes.len())],
                    _ => frame.insert(at, bytes[below(bytes.len())]),
                }
            }
            let frame = Bytes::from(frame);
            let Ok(text) = ByteString::try_from(frame.clone()) else {
                continue;
            };
            let Some((rpc_id, route, payload)) = read_usual(&text) else {
                assert!(round % 4 > 0, "{frame:?}");
                continue;
            };
            let envelope = Envelope::new(text, route, payload);
            let keys = by_keys(&frame).unwrap_or_else(|| panic!("{frame:?} is refused by its keys"));
            assert_eq!(rpc_id, keys.0, "{frame:?}");
            assert_eq!(envelope.route, keys.1.route, "{frame:?}");
            assert_eq!(envelope.payload, keys.1.payload, "{frame:?}");
            read_so += 1;
        }
        assert!(read_so > 10_000, "{read_so}");
    }

    #[test]
    fn what_is_no_utf_8_is_refused_by_its_id() {
        let (rpc_id, envelope) = read(Bytes::from_static(
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
