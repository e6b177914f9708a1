//! Short texts.

use std::{borrow::Borrow, fmt, hash, ops::Deref};

use arrayvec::ArrayString;
use bytestring::ByteString;

/// A text that is short as a rule, such as the path of a route: cheap to make and to clone.
///
/// Up to 40 bytes are held in place. To copy them costs a fifth of what it costs to count one more holder of a shared
/// buffer; a longer one shares its buffer with its clones.
#[derive(Clone)]
pub struct Name(Text);

#[derive(Clone)]
enum Text {
    Short(ArrayString<40>),
    Long(ByteString),
}

impl Name {
    /// A part of `whole`, whose buffer it shares if it is long.
    pub(crate) fn part_of(whole: &ByteString, part: &str) -> Self {
        Self(match ArrayString::from(part) {
            Ok(short) => Text::Short(short),
            Err(_) => Text::Long(whole.slice_ref(part)),
        })
    }
}

impl Default for Name {
    fn default() -> Self {
        Self(Text::Short(ArrayString::new()))
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        match &self.0 {
            Text::Short(text) => text,
            Text::Long(text) => text,
        }
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        self
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        self
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self(match ArrayString::from(text) {
            Ok(short) => Text::Short(short),
            Err(_) => Text::Long(text.into()),
        })
    }
}

impl From<String> for Name {
    fn from(text: String) -> Self {
        Self(match ArrayString::from(&text) {
            Ok(short) => Text::Short(short),
            Err(_) => Text::Long(text.into()),
        })
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Name {}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        **self == *other
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        **self == **other
    }
}

/// As a `str`.
impl hash::Hash for Name {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_name_of_any_length_is_its_text() {
        for length in [0, 1, 39, 40, 41, 300] {
            let text = "é".repeat(length / 2) + &"x".repeat(length % 2);
            let whole = ByteString::from(format!("[{text}]"));
            let part = Name::part_of(&whole, &whole[1..=length]);
            for name in [Name::from(&*text), Name::from(text.clone()), part] {
                assert_eq!(name, *text);
                assert_eq!(name.clone(), name);
                assert_eq!(name.to_string(), text);
                assert!(HashSet::from([name]).contains(&*text));
            }
        }
    }

    #[test]
    fn a_long_part_shares_the_buffer_and_a_short_one_does_not_keep_it() {
        let whole = ByteString::from("x".repeat(100));
        let within = |name: &Name| whole.as_bytes().as_ptr_range().contains(&name.as_ptr());
        assert!(within(&Name::part_of(&whole, &whole[..41])));
        assert!(!within(&Name::part_of(&whole, &whole[..40])));
    }
}
