//! Lone surrogates: escapes such as `\ud83d` that are half of a character. JSON's grammar has them, and no Rust string
//! can hold them.

use super::{whole::end_of_text, wording};
use crate::error::{Issue, Segment};

/// A payload without lone surrogates, and the places where they were.
pub(super) struct Repaired {
    /// The text with U+FFFD for each of them.
    pub(super) json: Vec<u8>,
    /// The texts that had one, in the order of the payload, at most `most`.
    pub(super) issues: Vec<Issue>,
}

enum Around {
    /// An object, and the range of the last key.
    Object(std::ops::Range<usize>),
    /// An array, and the index of the item.
    Array(usize),
}

/// Replaces the lone surrogates of valid JSON. Returns none if there are none.
pub(super) fn repair(json: &[u8], most: usize) -> Option<Repaired> {
    let may_have = |part: &[u8]| json.windows(part.len()).any(|window| window == part);
    if !may_have(b"\\ud") && !may_have(b"\\uD") {
        return None;
    }
    let mut repaired = Repaired {
        json: json.to_vec(),
        issues: Vec::new(),
    };
    let mut found = false;
    let mut around: Vec<Around> = Vec::new();
    // True where a text is a key.
    let mut is_key = false;
    let mut at = 0;
    while let Some(&byte) = json.get(at) {
        match byte {
            b'"' => {
                let end = end_of_text(json, at);
                if let (true, Some(Around::Object(key))) = (is_key, around.last_mut()) {
                    *key = at..end;
                }
                if replace(&mut repaired.json[at..end]) {
                    found = true;
                    if repaired.issues.len() < most {
                        let path = path(&repaired.json, &around);
                        repaired.issues.push(issue(path));
                    }
                }
                at = end;
                continue;
            }
            b'{' => {
                around.push(Around::Object(0..0));
                is_key = true;
            }
            b'[' => {
                around.push(Around::Array(0));
                is_key = false;
            }
            b'}' | b']' => {
                around.pop();
            }
            b':' => is_key = false,
            b',' => match around.last_mut() {
                Some(Around::Array(index)) => *index += 1,
                Some(Around::Object(_)) => is_key = true,
                None => {}
            },
            _ => {}
        }
        at += 1;
    }
    found.then_some(repaired)
}

fn issue(path: Vec<Segment>) -> Issue {
    let message = "expected text in Unicode, got half of a character (a lone surrogate)";
    Issue::new(path, "encoding", message)
}

fn path(json: &[u8], around: &[Around]) -> Vec<Segment> {
    around
        .iter()
        .map(|around| match around {
            Around::Array(index) => Segment::Index(*index),
            Around::Object(key) => {
                let key = serde_json::from_slice::<String>(&json[key.clone()]).unwrap_or_default();
                wording::key(&key)
            }
        })
        .collect()
}

/// Replaces the lone surrogates of a JSON text by U+FFFD, whose escape is as long. Returns true if there were any.
fn replace(text: &mut [u8]) -> bool {
    let (mut at, mut any) = (0, false);
    while at < text.len() {
        match (text[at], unit(text, at)) {
            (_, Some(0xd800..=0xdbff)) if matches!(unit(text, at + 6), Some(0xdc00..=0xdfff)) => at += 12,
            (_, Some(0xd800..=0xdfff)) => {
                text[at + 2..at + 6].copy_from_slice(b"fffd");
                any = true;
                at += 6;
            }
            (b'\\', _) => at += 2,
            _ => at += 1,
        }
    }
    any
}

/// Returns the UTF-16 code unit of the escape `\uXXXX` at this index, if there is one.
fn unit(text: &[u8], at: usize) -> Option<u16> {
    let digits = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}
