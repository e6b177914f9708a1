//! Idempotency keys.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::{client_id::ClientId, message::Message, protocol::Name};

/// Identity of a message: the idempotency key that it carries, and the scope and the route within which that key is
/// unique.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) scope: KeyScope,
    pub(super) route: Name,
    pub(super) key: String,
}

/// Scope of a key. Equal keys of different scopes are independent.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) enum KeyScope {
    Client(ClientId),
    Named(String),
}

impl Key {
    /// Maximum length of a key, in bytes.
    pub(super) const MAX_BYTES: usize = 255;

    /// Returns the bytes that the key occupies.
    pub(super) fn weight(&self) -> usize {
        let scope = match &self.scope {
            KeyScope::Client(_) => 0,
            KeyScope::Named(name) => name.len(),
        };
        scope + self.route.len() + self.key.len()
    }
}

/// Returns a function that reads the key from a member of the payload, `{"key":"…", …}`. It returns none if the member
/// is missing, empty, or not a string. For [`IdempotencyLayer::new`](super::IdempotencyLayer::new).
pub fn payload_member(name: &'static str) -> impl Fn(&Message) -> Option<String> + Clone + Send + Sync {
    move |message| {
        let mut payload = serde_json::Deserializer::from_slice(message.payload().as_json());
        let key = Member(name).deserialize(&mut payload).ok().flatten();
        key.filter(|key| !key.is_empty())
    }
}

/// Visitor that reads one string member of an object.
struct Member(&'static str);

impl<'de> DeserializeSeed<'de> for Member {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Member {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(is_it) = map.next_key_seed(IsName(self.0))? {
            if is_it {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// Visitor that compares a member's name without allocating it.
struct IsName(&'static str);

impl<'de> DeserializeSeed<'de> for IsName {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for IsName {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<bool, E> {
        Ok(name == self.0)
    }
}
