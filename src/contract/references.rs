//! References between the schemas of one generator.

use std::{borrow::Cow, collections::BTreeMap};

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::direction::Direction;

/// Types that the schemas of a generator refer to, by their names.
pub(crate) type Definitions = BTreeMap<String, Value>;

const PREFIX: &str = "#/$defs/";

/// Returns the settings of schemars for a direction.
pub(crate) fn settings(direction: Direction) -> SchemaSettings {
    let settings = SchemaSettings::draft2020_12();
    match direction {
        Direction::Input => settings.for_deserialize(),
        Direction::Output => settings.for_serialize(),
    }
}

/// Returns the name of the type that a reference points at. References are URI fragments with JSON pointers: `/` is
/// written as `~1`, `~` as `~0`, and other characters may be percent-encoded (RFC 6901, section 6).
pub(crate) fn local_name(reference: &str) -> Option<Cow<'_, str>> {
    let encoded = reference.strip_prefix(PREFIX)?;
    if !encoded.contains(['%', '~']) {
        return Some(Cow::Borrowed(encoded));
    }
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let [first, after @ ..] = rest {
        match (first, after) {
            (b'%', [high, low, after @ ..]) => {
                // schemars pads a small number with a space.
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).ok()?.trim();
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    let pointer = String::from_utf8(bytes).ok()?;
    Some(Cow::Owned(pointer.replace("~1", "/").replace("~0", "~")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_decoded() {
        for (reference, name) in [
            ("#/$defs/Note", Some("Note")),
            ("#/$defs/a~1b", Some("a/b")),
            ("#/$defs/a~01b", Some("a~1b")),
            ("#/$defs/a%20b%25", Some("a b%")),
            ("#/$defs/gr%C3%B6%C3%9Fe% 9", Some("größe\t")),
            ("#/$defs/", Some("")),
            ("#/$defs/%zz", None),
            ("#/$defs/%FF", None),
            ("#", None),
        ] {
            assert_eq!(local_name(reference).as_deref(), name, "{reference}");
        }
    }
}
