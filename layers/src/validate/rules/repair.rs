//! Parts of valid JSON that Rust's types can't hold: lone surrogates, which are escapes such as `\ud83d` that are half of
//! a character, and numbers beyond the range of `f64`.

use super::{
    whole::{end_of_number, end_of_text},
    wording,
};
use crate::error::{Issue, Segment};

/// A payload without such parts, and the issues of their places.
pub(super) struct Repaired {
    /// The text with U+FFFD for each lone surrogate, and 0 for each such number.
    pub(super) json: Vec<u8>,
    /// In the order of the payload, at most `most`.
    pub(super) issues: Vec<Issue>,
}

enum Around {
    /// An object, and the range of the last key.
    Object(std::ops::Range<usize>),
    /// An array, and the index of the item.
    Array(usize),
}

/// Replaces the parts of valid JSON that Rust's types can't hold. Returns none if there are none.
pub(super) fn repair(json: &[u8], most: usize) -> Option<Repaired> {
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
                    repaired.report(most, &around, lone_surrogate);
                }
                at = end;
                continue;
            }
            b'-' | b'0'..=b'9' => {
                let end = end_of_number(json, at);
                if let Some(issue) = out_of_range(&json[at..end]) {
                    found = true;
                    repaired.json[at..end].fill(b' ');
                    repaired.json[at] = b'0';
                    repaired.report(most, &around, issue);
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

impl Repaired {
    fn report(&mut self, most: usize, around: &[Around], issue: impl FnOnce(Vec<Segment>) -> Issue) {
        if self.issues.len() < most {
            let path = path(&self.json, around);
            self.issues.push(issue(path));
        }
    }
}

fn lone_surrogate(path: Vec<Segment>) -> Issue {
    let message = "expected text in Unicode, got half of a character (a lone surrogate)";
    Issue::new(path, "encoding", message)
}

/// Returns a function that makes the issue of a number beyond the range of `f64`.
fn out_of_range(number: &[u8]) -> Option<fn(Vec<Segment>) -> Issue> {
    let number: f64 = std::str::from_utf8(number).ok()?.parse().ok()?;
    match number {
        f64::INFINITY => Some(|path| {
            let message = "expected at most 1.7976931348623157e308, got a greater number";
            Issue::new(path, "maximum", message).with("max", f64::MAX)
        }),
        f64::NEG_INFINITY => Some(|path| {
            let message = "expected at least -1.7976931348623157e308, got a smaller number";
            Issue::new(path, "minimum", message).with("min", f64::MIN)
        }),
        _ => None,
    }
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
