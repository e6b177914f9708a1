//! The text that a normaliser has cleaned.

use std::{
    borrow::{Borrow, Cow},
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    marker::PhantomData,
    ops::Deref,
};

use garde::rules::{AsStr, length};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Normalizer;

/// A text that `N` has cleaned. Every constructor cleans it.
///
/// In an input it replaces `String`. The rules of garde that a `String` can have (`length`, `pattern`, `email`, `url`,
/// `ascii`, `alphanumeric`, `contains`, `prefix`, `suffix`, `ip`) check the cleaned text, also within `Option` and,
/// through `inner`, `Vec`. Its schema is that of a string, with `x-normalize` beside it.
///
/// ```
/// use zocket_layers::normalize::{Normalized, Trim, Uppercase};
///
/// type Plate = Normalized<(Trim, Uppercase)>;
///
/// let plate: Plate = serde_json::from_str(r#"" ab-123 ""#)?;
/// assert_eq!(plate, "AB-123");
/// assert_eq!(plate, Plate::from("AB-123 "));
/// assert_eq!(plate.len(), 6);
/// assert_eq!(String::from(plate), "AB-123");
/// # Ok::<(), serde_json::Error>(())
/// ```
pub struct Normalized<N> {
    text: String,
    normalizer: PhantomData<fn() -> N>,
}

impl<N> Normalized<N> {
    /// Returns the cleaned text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl<N: Normalizer> From<String> for Normalized<N> {
    fn from(text: String) -> Self {
        Self {
            text: N::clean(text),
            normalizer: PhantomData,
        }
    }
}

impl<N: Normalizer> From<&str> for Normalized<N> {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl<N> From<Normalized<N>> for String {
    fn from(normalized: Normalized<N>) -> Self {
        normalized.text
    }
}

impl<N: Normalizer> Default for Normalized<N> {
    fn default() -> Self {
        String::new().into()
    }
}

impl<N> Deref for Normalized<N> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl<N> AsRef<str> for Normalized<N> {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

impl<N> Borrow<str> for Normalized<N> {
    fn borrow(&self) -> &str {
        &self.text
    }
}

impl<N> Clone for Normalized<N> {
    fn clone(&self) -> Self {
        Self {
            text: self.text.clone(),
            normalizer: PhantomData,
        }
    }
}

impl<N> fmt::Debug for Normalized<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl<N> fmt::Display for Normalized<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.text, f)
    }
}

impl<N> PartialEq for Normalized<N> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl<N> Eq for Normalized<N> {}

impl<N> PartialEq<str> for Normalized<N> {
    fn eq(&self, other: &str) -> bool {
        self.text == other
    }
}

impl<N> PartialEq<&str> for Normalized<N> {
    fn eq(&self, other: &&str) -> bool {
        self.text == *other
    }
}

impl<N> PartialOrd for Normalized<N> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<N> Ord for Normalized<N> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}

impl<N> Hash for Normalized<N> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl<N> Serialize for Normalized<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de, N: Normalizer> Deserialize<'de> for Normalized<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

/// Inlines the schema, so that garde's rules on a field are added to it.
impl<N: Normalizer> JsonSchema for Normalized<N> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        [&["Text"], N::names().as_slice()].concat().join("_").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        match N::names() {
            names if names.is_empty() => json_schema!({ "type": "string" }),
            names => json_schema!({ "type": "string", "x-normalize": names }),
        }
    }
}

impl<N> AsStr for Normalized<N> {
    fn as_str(&self) -> &str {
        &self.text
    }
}

impl<N> length::HasSimpleLength for Normalized<N> {
    fn length(&self) -> usize {
        self.text.len()
    }
}

impl<N> length::HasBytes for Normalized<N> {
    fn num_bytes(&self) -> usize {
        self.text.len()
    }
}

impl<N> length::HasChars for Normalized<N> {
    fn num_chars(&self) -> usize {
        self.text.chars().count()
    }
}

impl<N> length::HasUtf16CodeUnits for Normalized<N> {
    fn num_code_units(&self) -> usize {
        self.text.encode_utf16().count()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::normalize::{Lowercased, Trim, Trimmed, Uppercase};

    #[test]
    fn a_tuple_is_applied_in_order_and_named_in_order() {
        assert_eq!(Normalized::<(Trim, Uppercase)>::from(" straße "), "STRASSE");
        assert_eq!(<(Trim, Uppercase)>::names(), ["trim", "uppercase"]);
    }

    #[test]
    fn every_constructor_normalises() {
        assert_eq!(Trimmed::from("\u{a0}a\u{3000}"), "a");
        assert_eq!(Lowercased::from("ÄB".to_owned()), "äb");
        assert_eq!(serde_json::from_str::<Trimmed>("\" a \"").unwrap(), "a");
        assert_eq!(Trimmed::default(), "");
        assert!(serde_json::from_str::<Trimmed>("1").is_err());
    }

    #[test]
    fn normalized_text_hashes_and_serializes_like_str() {
        let set = HashSet::from([Trimmed::from(" a ")]);
        assert!(set.contains("a"));
        assert_eq!(serde_json::to_string(&set).unwrap(), r#"["a"]"#);
        assert_eq!(format!("{0} {0:?}", Trimmed::from("a")), "a \"a\"");
    }
}
