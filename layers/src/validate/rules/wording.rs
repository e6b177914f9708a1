//! Sentences of issues. They are short, and do not repeat the payload's values.

use serde_json::Value;

use crate::error::{Issue, Segment};

/// Maximum number of characters of a name that an issue repeats. A sentence of another crate may have four times as
/// many.
const MAX_SHOWN: usize = 128;
/// Maximum number of names that a sentence lists.
const MOST: usize = 20;

/// Writes `at least 1 character, got 0`.
pub(super) fn count(how: &str, limit: u64, noun: &str, got: usize) -> String {
    let plural = if limit == 1 { "" } else { "s" };
    format!("{how} {limit} {noun}{plural}, got {got}")
}

/// Truncates a text to [`MAX_SHOWN`] characters, since the sender may have chosen it.
pub(super) fn cut(text: &str) -> String {
    shorten(text, MAX_SHOWN)
}

/// Truncates another crate's sentence, which may repeat a part of the payload.
pub(super) fn sentence(text: &str) -> String {
    shorten(text, 4 * MAX_SHOWN)
}

fn shorten(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Returns a member's name as a segment of a path.
pub(super) fn key(name: &str) -> Segment {
    Segment::Key(cut(name))
}

/// Writes `a, b, c`, and the number of names that are left out.
pub(super) fn list<S: AsRef<str>>(names: &[S]) -> String {
    let shown: Vec<String> = names.iter().take(MOST).map(|name| cut(name.as_ref())).collect();
    match names.len().checked_sub(MOST) {
        None | Some(0) => shown.join(", "),
        Some(more) => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Returns the issue `expected one of a, b, got another value`.
pub(super) fn one_of(path: Vec<Segment>, allowed: &[Value], got: &str) -> Issue {
    let names: Vec<String> = allowed
        .iter()
        .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        .collect();
    Issue::new(
        path,
        "enum",
        format!("expected one of {}, got {got}", list(&names)),
    )
    .with("allowed", allowed)
}

/// Returns the issue `expected a string or null, got a number`.
pub(super) fn wrong_type(path: Vec<Segment>, expected: &[&str], actual: &str) -> Issue {
    let words: Vec<&str> = expected.iter().map(|name| article(name)).collect();
    let message = format!("expected {}, got {}", words.join(" or "), article(actual));
    let expected = match expected {
        [one] => Value::from(*one),
        many => Value::from(many),
    };
    Issue::new(path, "type", message)
        .with("expected", expected)
        .with("actual", actual)
}

/// Returns the issue `expected a string, but it is missing`.
pub(super) fn missing(path: Vec<Segment>, expected: &[&str]) -> Issue {
    let words: Vec<&str> = expected.iter().map(|name| article(name)).collect();
    let expected = if words.is_empty() {
        "a value".to_owned()
    } else {
        words.join(" or ")
    };
    Issue::new(
        path,
        "required",
        format!("expected {expected}, but it is missing"),
    )
}

/// Returns the issue `unknown key; expected one of a, b`.
pub(super) fn unknown_key(path: Vec<Segment>, declared: &[&str]) -> Issue {
    Issue::new(
        path,
        "unknown_key",
        match declared {
            [] => "unknown key; no keys are expected".to_owned(),
            [one] => format!("unknown key; only {} is expected", cut(one)),
            many => format!("unknown key; expected one of {}", list(many)),
        },
    )
}

/// Returns the JSON type of a value. It is `number` for an integer too.
pub(super) fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Returns a type's name with its article.
pub(super) fn article(name: &str) -> &str {
    match name {
        "boolean" => "a boolean",
        "integer" => "an integer",
        "number" => "a number",
        "string" => "a string",
        "array" => "an array",
        "object" => "an object",
        other => other,
    }
}
