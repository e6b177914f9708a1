//! The JSON codec: frames are JSON text.

mod salvage;

use std::{io::Write, ops::Range};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use self::salvage::find_id;
use super::{
    DataFrame, FrameHeader, Head, Kind, Malformed, Name, RawPayload, RpcId, finite::write_value, words,
};
use crate::error::{Code, Error};

/// Subprotocol of the extended protocol in JSON.
pub(super) const SUBPROTOCOL: &str = "zocket.v1.json";

pub(super) const PONG: DataFrame = DataFrame::constant(r#"{"type":"__pong"}"#);

#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow, rename = "type")]
    route: Option<&'a RawValue>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
    #[serde(borrow, rename = "rpcId")]
    rpc_id: Option<&'a RawValue>,
}

/// Reads the head of a frame, and validates that it is UTF-8.
pub(super) fn read(frame: &[u8]) -> Result<Head, Malformed> {
    match std::str::from_utf8(frame) {
        Ok(text) => read_text(text),
        Err(error) => Err(malformed(find_id(frame), no_object(&error))),
    }
}

/// Reads the head of a frame that is UTF-8.
pub(super) fn read_text(frame: &str) -> Result<Head, Malformed> {
    match read_usual(frame) {
        Some(head) => Ok(head),
        None => read_by_keys(frame),
    }
}

const fn malformed(rpc_id: Option<RpcId>, error: Error) -> Malformed {
    Malformed { rpc_id, error }
}

fn refuse(message: String) -> Error {
    Error::new(Code::PARSE_ERROR, message)
}

fn no_object(error: &dyn std::fmt::Display) -> Error {
    refuse(format!("expected a JSON object: {error}"))
}

fn read_by_keys(frame: &str) -> Result<Head, Malformed> {
    // serde deserializes a struct from an array too.
    if !frame.trim_ascii_start().starts_with('{') {
        let rpc_id = find_id(frame.as_bytes());
        return Err(malformed(rpc_id, refuse("expected a JSON object".to_owned())));
    }
    let members: Members<'_> = serde_json::from_str(frame)
        .map_err(|error| malformed(find_id(frame.as_bytes()), no_object(&error)))?;
    let rpc_id = match members.rpc_id.map(|id| RpcId::from_json(id.get())).transpose() {
        Ok(rpc_id) => rpc_id.flatten(),
        Err(invalid) => return Err(malformed(None, refuse(invalid.to_string()))),
    };
    let route = members.route.map(RawValue::get);
    let Some(name) = route.and_then(read_string) else {
        let what = match route.and_then(|route| route.bytes().next()) {
            None => "nothing",
            Some(b'"') => "a string that is not valid Unicode",
            Some(b'{') => "an object",
            Some(b'[') => "an array",
            Some(b't' | b'f') => "a boolean",
            Some(_) => "a number",
        };
        return Err(malformed(
            rpc_id,
            refuse(format!("type: expected a string, got {what}")),
        ));
    };
    Ok(Head {
        rpc_id,
        route: name,
        payload: members.payload.map(|payload| place(frame, payload.get())),
    })
}

/// Returns the range of a part in the whole text that it borrows from.
fn place(whole: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr().addr() - whole.as_ptr().addr();
    start..start + part.len()
}

/// Reads a frame in the form that clients write: `{"type":…,"payload":…,"rpcId":…}` in this order, without white space,
/// and without escapes in type and id. Returns none for any other frame, which [`read_by_keys`] then reads or refuses.
/// Reading by keys takes more than twice as long.
fn read_usual(frame: &str) -> Option<Head> {
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
    Some(Head {
        rpc_id,
        route: route.into(),
        payload,
    })
}

/// Returns true for a byte that ends a JSON string or begins an escape.
const fn is_special(byte: u8) -> bool {
    byte < b' ' || matches!(byte, b'"' | b'\\')
}

/// Returns the content of a JSON string.
fn read_string(token: &str) -> Option<Name> {
    match token.strip_prefix('"')?.strip_suffix('"')? {
        plain if !plain.as_bytes().contains(&b'\\') => Some(plain.into()),
        _ => serde_json::from_str::<String>(token).ok().map(Into::into),
    }
}

/// Writes `{"type":"__rpc_res","payload":…,"rpcId":…}`. An absent payload is left out.
pub(super) fn answer(payload: RawPayload, rpc_id: &RpcId) -> DataFrame {
    const BEFORE_PAYLOAD: &[u8] = br#"{"type":"__rpc_res","payload":"#;
    const WITHOUT_PAYLOAD: &[u8] = br#"{"type":"__rpc_res""#;
    const BEFORE_ID: &[u8] = br#","rpcId":"#;
    let id = rpc_id.as_json().as_bytes();
    let after = BEFORE_ID.len() + id.len() + 1;
    let mut frame = match payload.into_vec() {
        // The payload is moved within its own buffer, which usually has capacity for the envelope.
        Ok(mut frame) => {
            let length = frame.len();
            frame.reserve(BEFORE_PAYLOAD.len() + after);
            frame.extend_from_slice(BEFORE_PAYLOAD);
            frame.copy_within(..length, BEFORE_PAYLOAD.len());
            frame[..BEFORE_PAYLOAD.len()].copy_from_slice(BEFORE_PAYLOAD);
            frame
        }
        Err(payload) => {
            let payload = payload.bytes().unwrap_or_default();
            let before = if payload.is_empty() {
                WITHOUT_PAYLOAD
            } else {
                BEFORE_PAYLOAD
            };
            let mut frame = Vec::with_capacity(before.len() + payload.len() + after);
            frame.extend_from_slice(before);
            frame.extend_from_slice(payload);
            frame
        }
    };
    frame.extend_from_slice(BEFORE_ID);
    frame.extend_from_slice(id);
    frame.push(b'}');
    DataFrame::utf8(frame)
}

/// Writes `{"type":"__rpc_err","rpcId":…,"error":{"code":…,"message":…}}`, from an [`Error`] or a part of one.
pub(super) fn refusal(error: &impl Serialize, rpc_id: &RpcId) -> DataFrame {
    let mut frame = Vec::with_capacity(192);
    // Strings and JSON values are written into memory, which can't fail.
    let written = write!(
        frame,
        r#"{{"type":"{}","rpcId":{rpc_id},"error":"#,
        words::REFUSAL
    )
    .map_err(serde_json::Error::io)
    .and_then(|()| serde_json::to_writer(&mut frame, error));
    debug_assert!(written.is_ok(), "{written:?}");
    frame.push(b'}');
    DataFrame::utf8(frame)
}

/// Writes `{"type":"__error","payload":{"type":…,"code":…,"message":…}}`, from an [`Error`] or a part of one.
pub(super) fn error(error: &impl Serialize, route: Option<&str>) -> DataFrame {
    #[derive(Serialize)]
    struct Payload<'a, E> {
        #[serde(skip_serializing_if = "Option::is_none")]
        r#type: Option<&'a str>,
        #[serde(flatten)]
        error: &'a E,
    }
    frame(words::ERROR, &Payload { r#type: route, error })
}

/// Writes `{"type":"__welcome","payload":{…}}`.
pub(super) fn welcome(payload: &Value) -> DataFrame {
    frame(words::WELCOME, payload)
}

/// Writes `{"type":"__ack","payload":n}`.
pub(super) fn ack(n: u64) -> DataFrame {
    frame(words::ACK, &n)
}

/// Reads a whole number, in any of JSON's spellings: `3`, `3.0`, `3e0`.
pub(super) fn read_ack(payload: &[u8]) -> Option<u64> {
    /// The whole numbers up to here are floats without a loss.
    const MAX: f64 = 9_007_199_254_740_992.0;
    let number: serde_json::Number = serde_json::from_slice(payload).ok()?;
    let float = || {
        number
            .as_f64()
            .filter(|float| float.fract() == 0.0 && (0.0..=MAX).contains(float))
    };
    number.as_u64().or_else(|| float().map(|float| float as u64))
}

fn frame(r#type: &str, payload: &impl Serialize) -> DataFrame {
    // Strings and JSON values are written into memory, which can't fail.
    DataFrame::utf8(serde_json::to_vec(&Envelope { r#type, payload }).unwrap_or_default())
}

#[derive(Serialize)]
struct Envelope<'a, P: ?Sized> {
    r#type: &'a str,
    payload: &'a P,
}

/// Writes a value as an event: a whole WebSocket frame. Returns the frame, and the range of the payload in it.
pub(super) fn event_of<P: Serialize + ?Sized>(
    name: &str,
    payload: &P,
) -> Result<(Bytes, Range<usize>), serde_json::Error> {
    let mut frame = event_before_payload(name)?;
    let start = frame.len();
    write_value(&mut frame, payload)?;
    let payload = start..frame.len();
    let (wire, unused) = finish_event(frame);
    Ok((wire, payload.start - unused..payload.end - unused))
}

/// Writes an event from an encoded payload: a whole WebSocket frame.
pub(super) fn event(name: &str, payload: &RawPayload) -> Bytes {
    // A string is written into memory, which can't fail.
    let mut frame = event_before_payload(name).unwrap_or_default();
    frame.extend_from_slice(payload.as_json());
    finish_event(frame).0
}

/// Writes an event up to its payload, after space for the longest header. The header is written when the length is
/// known.
fn event_before_payload(name: &str) -> Result<Vec<u8>, serde_json::Error> {
    let mut frame = vec![0; FrameHeader::MAX];
    frame.extend_from_slice(br#"{"type":"#);
    serde_json::to_writer(&mut frame, name)?;
    frame.extend_from_slice(br#","payload":"#);
    Ok(frame)
}

/// Completes an event with its header. Returns the frame, and the number of unused bytes before it in the buffer.
fn finish_event(mut frame: Vec<u8>) -> (Bytes, usize) {
    frame.push(b'}');
    let header = FrameHeader::new(Kind::Text, frame.len() - FrameHeader::MAX);
    let unused = FrameHeader::MAX - header.len();
    frame[unused..FrameHeader::MAX].copy_from_slice(&header);
    (Bytes::from(frame).slice(unused..), unused)
}

#[cfg(test)]
mod tests;
