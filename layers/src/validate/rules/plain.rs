//! Refusal of JSON that serde_json would not read literally.

use std::fmt;

use memchr::memchr2;
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};

/// Key that serde_json uses internally. A `serde_json::Value` parses the text under this key as JSON, with a new depth
/// limit, so nested keys could overflow the stack.
const READ_AGAIN: &str = "$serde_json::private::RawValue";

/// Checks that no object has serde_json's internal key.
pub(super) fn check(json: &[u8]) -> Result<(), serde_json::Error> {
    // Most payloads have neither character. One pass excludes both.
    if memchr2(b'\\', b'$', json).is_none() {
        return Ok(());
    }
    // Any letter of the key may be escaped, and `\u` is the only escape for a letter.
    let may_have = |part: &[u8]| json.windows(part.len()).any(|window| window == part);
    if json.contains(&b'\\') && may_have(b"\\u") || json.contains(&b'$') && may_have(READ_AGAIN.as_bytes()) {
        serde_json::from_slice::<Plain>(json)?;
    }
    Ok(())
}

/// Any JSON without serde_json's internal key.
struct Plain;

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Plain {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        while let Some(Key { is_own }) = members.next_key()? {
            if is_own {
                return Err(A::Error::custom(format!("the key `{READ_AGAIN}` is not allowed")));
            }
            members.next_value::<Self>()?;
        }
        Ok(self)
    }
}

struct Key {
    is_own: bool,
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Compare;
        impl Visitor<'_> for Compare {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_str<E>(self, key: &str) -> Result<Key, E> {
                Ok(Key {
                    is_own: key == READ_AGAIN,
                })
            }
        }
        deserializer.deserialize_str(Compare)
    }
}
