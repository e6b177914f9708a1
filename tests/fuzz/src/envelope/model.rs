//! The model of a message's envelope.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// A frame, as PROTOCOL.md has it read.
#[derive(Debug, PartialEq, Eq)]
pub enum Read<'a> {
    /// A message.
    Message {
        /// Its type.
        route: String,
        /// Its id as JSON, if it has one.
        rpc_id: Option<String>,
        /// Its payload as JSON. Null is none.
        payload: Option<&'a str>,
    },
    /// Any other frame, a `PARSE_ERROR`.
    Malformed {
        /// The id that its refusal has. `None` if the model can't tell: the frame is no JSON.
        rpc_id: Option<Option<String>>,
    },
}

/// The members of an object, in their order.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

/// Reads a frame.
#[must_use]
pub fn read(data: &[u8]) -> Read<'_> {
    let unknown = Read::Malformed { rpc_id: None };
    let Ok(text) = std::str::from_utf8(data) else {
        return unknown;
    };
    let Ok(Members(members)) = serde_json::from_str(text) else {
        // A value that is not an object has no members.
        return match serde_json::from_str::<&RawValue>(text) {
            Ok(value) if !value.get().starts_with('{') => Read::Malformed { rpc_id: Some(None) },
            _ => unknown,
        };
    };
    let all = |name: &str| -> Vec<&str> {
        let members = members.iter().filter(|(member, _)| member == name);
        members.map(|(_, value)| value.get()).collect()
    };
    let (types, payloads, ids) = (all("type"), all("payload"), all("rpcId"));
    let read: Vec<_> = ids.iter().map(|id| rpc_id(id)).collect();
    let is_doubled = [&types, &payloads, &ids].iter().any(|values| values.len() > 1);
    let route = types
        .first()
        .and_then(|route| serde_json::from_str::<String>(route).ok());
    match (route, read.first()) {
        (Some(route), None | Some(Ok(_))) if !is_doubled => Read::Message {
            route,
            rpc_id: read.into_iter().next().and_then(Result::unwrap_or_default),
            payload: payloads.first().copied().filter(|payload| *payload != "null"),
        },
        _ => {
            let mut ids = read.into_iter().map(Result::unwrap_or_default);
            let first = ids.next().flatten();
            let rpc_id = first.filter(|first| ids.all(|id| id.as_ref() == Some(first)));
            Read::Malformed { rpc_id: Some(rpc_id) }
        }
    }
}

/// Reads an id. Returns `Err` for a value that is none, and `None` for one that asks for no answer.
fn rpc_id(json: &str) -> Result<Option<String>, ()> {
    match json.as_bytes()[0] {
        b'"' => match serde_json::from_str::<String>(json) {
            Ok(id) if id.is_empty() => Ok(None),
            Ok(id) if id.len() <= 128 => Ok(Some(serde_json::to_string(&id).map_err(drop)?)),
            _ => Err(()),
        },
        b'-' | b'0'..=b'9' if json.len() <= 128 => Ok(Some(json.to_owned())),
        b'n' => Ok(None),
        _ => Err(()),
    }
}

/// Returns true for an id that an answer may repeat.
pub(super) fn is_id(json: &str) -> bool {
    serde_json::from_str::<&RawValue>(json).is_ok() && rpc_id(json) == Ok(Some(json.to_owned()))
}
