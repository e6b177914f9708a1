use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::Name;

/// Id by which a client matches an answer to its message: a string of 1 to 128 bytes, or a number. The answer carries
/// it as received, except that escapes in a string are normalized.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RpcId(Name);

impl RpcId {
    /// Maximum length in bytes, of a string's content or of a number's text.
    pub const MAX_BYTES: usize = 128;

    /// Creates an id from a string.
    ///
    /// # Errors
    /// [`InvalidRpcId`] if the string is empty or longer than [`MAX_BYTES`](Self::MAX_BYTES).
    pub fn string(id: &str) -> Result<Self, InvalidRpcId> {
        match id.len() {
            0 => Err(InvalidRpcId("expected at least 1 byte, got 0")),
            1..=Self::MAX_BYTES => Ok(Self(serde_json::Value::from(id).to_string().into())),
            _ => Err(InvalidRpcId("expected at most 128 bytes")),
        }
    }

    /// Reads an id from its JSON text. Returns none for null and for the empty string.
    pub(crate) fn from_json(token: &str) -> Result<Option<Self>, InvalidRpcId> {
        match token.as_bytes() {
            // An escaped string is encoded again, so that two spellings of one id are equal.
            [b'"', content @ ..] if content.contains(&b'\\') => match serde_json::from_str::<String>(token) {
                Ok(id) => Self::string(&id).map(Some),
                Err(_) => Err(InvalidRpcId("expected text in Unicode, got a lone surrogate")),
            },
            _ => Self::from_plain(token),
        }
    }

    /// Reads an id like [`from_json`](Self::from_json), from JSON text without escapes.
    pub(crate) fn from_plain(token: &str) -> Result<Option<Self>, InvalidRpcId> {
        let length = match token.as_bytes() {
            b"null" | b"\"\"" => return Ok(None),
            [b'"', content @ .., b'"'] => content.len(),
            number @ [b'-' | b'0'..=b'9', ..] => number.len(),
            _ => return Err(InvalidRpcId("expected a string or a number")),
        };
        if length > Self::MAX_BYTES {
            return Err(InvalidRpcId("expected at most 128 bytes"));
        }
        Ok(Some(Self(token.into())))
    }

    /// Returns the id as JSON text.
    #[must_use]
    pub fn as_json(&self) -> &str {
        &self.0
    }
}

impl Serialize for RpcId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // `self.0` is a token of valid JSON, or was written by serde_json.
        serde_json::from_str::<&RawValue>(&self.0)
            .map_err(serde::ser::Error::custom)?
            .serialize(serializer)
    }
}

/// Writes the id as JSON text.
impl fmt::Display for RpcId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RpcId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RpcId({})", self.0)
    }
}

/// An `rpcId` of the wrong kind or length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidRpcId(&'static str);

impl fmt::Display for InvalidRpcId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rpcId: {}", self.0)
    }
}

impl std::error::Error for InvalidRpcId {}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Option<String>, String> {
        RpcId::from_json(json)
            .map(|id| id.map(|id| id.as_json().to_owned()))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn strings_and_numbers_come_back_as_they_were_sent() {
        for id in ["\"abc\"", "7", "-0.5e+10", "18446744073709551616"] {
            assert_eq!(read(id), Ok(Some(id.to_owned())));
        }
    }

    #[test]
    fn null_and_the_empty_string_ask_for_no_answer() {
        assert_eq!(read("null"), Ok(None));
        assert_eq!(read("\"\""), Ok(None));
    }

    #[test]
    fn two_spellings_of_one_string_are_one_id() {
        assert_eq!(read("\"\\u0061\""), Ok(Some("\"a\"".to_owned())));
    }

    #[test]
    fn the_limit_counts_the_bytes_of_the_content() {
        assert!(read(&format!("\"{}\"", "é".repeat(64))).is_ok());
        assert!(read(&format!("\"{}\"", "é".repeat(65))).is_err());
        assert!(read(&"1".repeat(129)).is_err());
    }

    #[test]
    fn values_of_other_types_are_not_ids() {
        for json in ["true", "[1]", "{}", "\"\\ud800\""] {
            assert!(read(json).is_err(), "{json}");
        }
    }
}
