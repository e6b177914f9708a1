//! What stands around a payload.

use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{Code, Error, Name, RpcId};

/// A frame's members.
#[derive(Debug, PartialEq)]
pub(super) struct Envelope {
    pub(super) rpc_id: Option<RpcId>,
    pub(super) route: Name,
    /// Where in the frame it stands.
    pub(super) payload: Option<Range<usize>>,
}

/// Why something is no message, with the id that its refusal goes by.
pub(super) type NoMessage = (Option<RpcId>, Error);

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
pub(super) fn read(frame: &str) -> Result<Envelope, NoMessage> {
    match read_usual(frame) {
        Some(envelope) => Ok(envelope),
        None => read_by_keys(frame),
    }
}

/// [`read`] for what may be no text.
pub(super) fn read_bytes(frame: &[u8]) -> Result<Envelope, NoMessage> {
    match std::str::from_utf8(frame) {
        Ok(text) => read(text),
        Err(error) => Err((read_id_alone(frame), no_object(&error))),
    }
}

fn refuse(message: String) -> Error {
    Error::new(Code::PARSE_ERROR, message)
}

fn no_object(error: &dyn std::fmt::Display) -> Error {
    refuse(format!("expected a JSON object: {error}"))
}

fn read_by_keys(frame: &str) -> Result<Envelope, NoMessage> {
    // serde would take an array for an object.
    if !frame.trim_ascii_start().starts_with('{') {
        return Err((None, refuse("expected a JSON object".to_owned())));
    }
    let members: Members<'_> =
        serde_json::from_str(frame).map_err(|error| (read_id_alone(frame.as_bytes()), no_object(&error)))?;
    let rpc_id = match members.rpc_id.map(|id| RpcId::from_json(id.get())).transpose() {
        Ok(rpc_id) => rpc_id.flatten(),
        Err(invalid) => return Err((None, refuse(invalid.to_string()))),
    };
    let route = members.route.map(RawValue::get);
    let Some(name) = route.and_then(read_string) else {
        let what = match route.and_then(|route| route.bytes().next()) {
            None => "nothing",
            Some(b'"') => "a string that is no Unicode",
            Some(b'{') => "an object",
            Some(b'[') => "an array",
            Some(b't' | b'f') => "a boolean",
            Some(_) => "a number",
        };
        return Err((rpc_id, refuse(format!("type: expected a string, got {what}"))));
    };
    Ok(Envelope {
        rpc_id,
        route: name,
        payload: members.payload.map(|payload| place(frame, payload.get())),
    })
}

/// Where in a text a part of it stands.
fn place(whole: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr().addr() - whole.as_ptr().addr();
    start..start + part.len()
}

/// The members of a frame as clients write it: `{"type":…,"payload":…,"rpcId":…}` in this order, nothing between them,
/// nothing escaped in type and id. To read it by keys costs more than twice as much; what is not written like this is
/// read so, and refused there if it has to be.
fn read_usual(frame: &str) -> Option<Envelope> {
    let rest = frame.strip_prefix(r#"{"type":""#)?;
    let quote = rest.bytes().position(is_special)?;
    let (route, rest) = rest.split_at(quote);
    let rest = rest.strip_prefix('"')?.strip_suffix('}')?;
    let id = match rest.as_bytes() {
        [before @ .., b'"'] => {
            let quote = before.iter().rposition(|byte| is_special(*byte))?;
            (before[quote] == b'"').then_some(quote)?
        }
        bytes => bytes
            .iter()
            .rposition(|byte| !byte.is_ascii_digit())
            .map_or(0, |other| other + 1),
    };
    let (before, id) = rest.split_at(id);
    if id.len() > 1 && id.starts_with('0') {
        return None;
    }
    let (rest, rpc_id) = match before.strip_suffix(r#","rpcId":"#) {
        Some(rest) => (rest, RpcId::from_plain(id).ok()?),
        None => (rest, None),
    };
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
    Some(Envelope {
        rpc_id,
        route: route.into(),
        payload,
    })
}

/// Whether it ends a JSON string, or makes it more than its text.
const fn is_special(byte: u8) -> bool {
    byte < b' ' || matches!(byte, b'"' | b'\\')
}

/// The id of an object that has another member twice, or is UTF-8 only as far as the id.
fn read_id_alone(frame: &[u8]) -> Option<RpcId> {
    #[derive(Deserialize)]
    struct Id<'a> {
        #[serde(borrow, rename = "rpcId")]
        rpc_id: Option<&'a RawValue>,
    }
    let id: Id<'_> = serde_json::from_slice(frame).ok()?;
    RpcId::from_json(id.rpc_id?.get()).ok()?
}

/// A JSON string's content.
fn read_string(token: &str) -> Option<Name> {
    match token.strip_prefix('"')?.strip_suffix('"')? {
        plain if !plain.as_bytes().contains(&b'\\') => Some(plain.into()),
        _ => serde_json::from_str::<String>(token).ok().map(Into::into),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(frame: &str) -> (Option<String>, String) {
        let (rpc_id, error) = read(frame).unwrap_err();
        (rpc_id.map(|id| id.to_string()), error.to_string())
    }

    #[test]
    fn members_are_read_in_any_order() {
        let frame = r#" {"payload": {"a":[1]} ,"type":"chat.post","rpcId":"x"}"#;
        let envelope = read(frame).unwrap();
        assert_eq!(envelope.rpc_id.unwrap().as_json(), "\"x\"");
        assert_eq!(envelope.route, "chat.post");
        assert_eq!(&frame[envelope.payload.unwrap()], r#"{"a":[1]}"#);
    }

    #[test]
    fn an_escaped_type_is_read() {
        let envelope = read(r#"{"type":"chat\u002epost"}"#).unwrap();
        assert_eq!(envelope.route, "chat.post");
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
            let Ok(frame) = String::from_utf8(frame) else {
                continue;
            };
            let Some(envelope) = read_usual(&frame) else {
                assert!(round % 4 > 0, "{frame}");
                continue;
            };
            match read_by_keys(&frame) {
                Ok(by_keys) => assert_eq!(envelope, by_keys, "{frame}"),
                Err((_, error)) => panic!("{frame} is refused by its keys: {error}"),
            }
            read_so += 1;
        }
        assert!(read_so > 10_000, "{read_so}");
    }

    #[test]
    fn what_is_no_utf_8_is_refused_by_its_id() {
        let (rpc_id, error) = read_bytes(b"{\"rpcId\":1,\"payload\":\"\xff\",\"type\":\"a\"}").unwrap_err();
        assert_eq!(rpc_id.unwrap().as_json(), "1");
        assert!(error.message().contains("utf-8"));
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
