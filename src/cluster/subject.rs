//! Names of subjects: the only place that encodes the names of rooms for an engine.

use std::{fmt::Write, sync::Arc};

use sha1::{Digest, Sha1};
use uuid::Uuid;

use super::node_tag::NodeTag;

/// Longest token of a subject. NATS closes a connection that uses a subject of more than 4,096 bytes. A longer name is
/// replaced by its digest.
const MAX_TOKEN: usize = 1_024;

/// Longest prefix. With the longest token, a subject stays below NATS's limit.
const MAX_PREFIX: usize = 1_024;

/// Subjects of one app. Apps with different prefixes can share an engine.
#[derive(Debug, Clone)]
pub(super) struct Subjects {
    prefix: Arc<str>,
    /// Subject of the events to everyone.
    pub(super) everyone: Arc<str>,
    /// Subject of what all nodes tell each other.
    pub(super) nodes: Arc<str>,
}

impl Subjects {
    pub(super) fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.into(),
            everyone: format!("{prefix}.everyone").into(),
            nodes: format!("{prefix}.nodes").into(),
        }
    }

    /// Subject of what one node is told.
    pub(super) fn node(&self, node: Uuid) -> Arc<str> {
        format!("{}.node.{}", self.prefix, node.simple()).into()
    }

    /// Subject of the events to clients of the node with this tag.
    pub(super) fn clients(&self, tag: NodeTag) -> Arc<str> {
        format!("{}.clients.{tag}", self.prefix).into()
    }

    /// Subject of the events to one room.
    pub(super) fn room(&self, room: &str) -> Arc<str> {
        let mut token = String::new();
        escape(room, &mut token);
        if token.len() > MAX_TOKEN {
            let digest = Sha1::digest(room);
            token = digest.iter().fold("~".to_owned(), |mut token, byte| {
                // Writing to a string can't fail.
                let _ = write!(token, "{byte:02x}");
                token
            });
        }
        format!("{}.room.{token}", self.prefix).into()
    }
}

/// Appends text as one token of a subject. Letters and digits of ASCII, `-` and `_` stand for themselves, and any other byte is
/// `=` and two hexadecimal digits. Empty text is `=`, since a token can't be empty.
fn escape(text: &str, subject: &mut String) {
    if text.is_empty() {
        subject.push('=');
    }
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => subject.push(char::from(byte)),
            // Writing to a string can't fail.
            other => drop(write!(subject, "={other:02x}")),
        }
    }
}

/// Returns the reason why a text can't be a prefix.
///
/// # Errors
/// A sentence.
pub(super) fn check_prefix(prefix: &str) -> Result<(), String> {
    let is_token = |token: &str| {
        !token.is_empty()
            && token
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !b"*>".contains(&byte))
    };
    if prefix.len() > MAX_PREFIX {
        let got = prefix.len();
        return Err(format!("prefix: expected at most {MAX_PREFIX} bytes, got {got}"));
    }
    match prefix.split('.').all(is_token) {
        true => Ok(()),
        false => Err(format!(
            "prefix `{}`: expected tokens of visible ASCII characters without `*` and `>`, with dots between them",
            prefix.escape_debug()
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn different_names_have_different_subjects_of_plain_characters() {
        let subjects = Subjects::new("app");
        let mut seen = HashMap::new();
        let parts = [
            "", "a", "A", "=", "=2e", ".", "*", ">", " ", "\t", "\0", "é", "e\u{301}", "房間", "🦀", "_", "-",
        ];
        for first in parts {
            for second in parts {
                for third in parts {
                    let room = [first, second, third].concat();
                    let subject = subjects.room(&room);
                    let token = subject.strip_prefix("app.room.").unwrap();
                    assert!(!token.is_empty());
                    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"=_-".contains(&byte);
                    assert!(token.bytes().all(is_plain), "{token}");
                    let before = seen.insert(subject.clone(), room.clone());
                    assert!(
                        before.is_none_or(|before| before == room),
                        "{room:?} has the subject {subject} too"
                    );
                }
            }
        }
    }

    #[test]
    fn long_names_have_short_subjects() {
        let subjects = Subjects::new("app");
        let long = |last: &str| subjects.room(&("ä".repeat(5_000) + last));
        assert!(long("").len() < 100);
        assert_ne!(long("a"), long("b"));
    }

    #[test]
    fn a_prefix_is_one_or_several_tokens() {
        for prefix in ["zocket", "shop.chat", "a-b_c", "$app"] {
            check_prefix(prefix).unwrap();
        }
        for prefix in ["", ".", "a.", ".a", "a b", "a.*", ">", "a\n", "é"] {
            assert!(check_prefix(prefix).is_err(), "{prefix:?}");
        }
        check_prefix(&"x".repeat(MAX_PREFIX)).unwrap();
        let refused = check_prefix(&"x".repeat(MAX_PREFIX + 1)).unwrap_err();
        assert_eq!(refused, "prefix: expected at most 1024 bytes, got 1025");
    }
}
