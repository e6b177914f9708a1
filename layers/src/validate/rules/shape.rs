//! Issues of payloads that serde could not parse.

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment as Step;

use super::{alias, confirm, probe::Probe, schema::Graph, walk, wording};
use crate::{
    error::{Issue, Segment},
    protocol::AnyNumber,
};

/// Returns every issue of bytes that can't be parsed as a `T`. The result is never empty.
pub(super) fn issues<T: DeserializeOwned>(graph: &Graph, json: &[u8]) -> Vec<Issue> {
    let mut value = match serde_json::from_slice::<Value>(json) {
        Ok(value) => value,
        Err(error) => return vec![no_json(json, &error)],
    };
    let own = of_serde::<T>(json, &value);
    let mut probe = Probe::<T>::new(json.len());
    let (found, aliases) = alias::walk(graph, &mut value, json.len(), &mut probe);
    let own_path = aliases.declared(&own.path);
    let mut issues = confirm::confirmed(found, &value, &own_path, &mut probe);
    for issue in &mut issues {
        issue.path = aliases.given(std::mem::take(&mut issue.path));
    }
    if issues.len() < walk::MOST {
        // The schema's issue is clearer, so serde's is used only if the schema has none about its path.
        let known = |issue: &Issue| issue.path.starts_with(&own.path) || own.path.starts_with(&issue.path);
        if !issues.iter().any(known) {
            issues.push(own);
        }
    }
    issues
}

fn no_json(json: &[u8], error: &serde_json::Error) -> Issue {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let path = match serde_path_to_error::deserialize::<_, Value>(&mut deserializer) {
        Ok(_) => Vec::new(),
        Err(error) => error.path().iter().filter_map(segment).collect(),
    };
    unreadable(path, error)
}

/// Returns the issue of bytes that are refused before they are parsed.
pub(super) fn no_plain(error: &serde_json::Error) -> Issue {
    unreadable(Vec::new(), error)
}

fn unreadable(mut path: Vec<Segment>, error: &serde_json::Error) -> Issue {
    let text = sentence(error);
    if text.contains("recursion limit") {
        // Reports the top-level member that is too deep, without the steps into it.
        path.truncate(1);
        return Issue::new(
            path,
            "too_deep",
            "expected at most 127 levels of arrays and objects, got more",
        );
    }
    Issue::new(
        path,
        "parse",
        wording::sentence(&format!("expected JSON: {text}")),
    )
}

fn of_serde<T: DeserializeOwned>(json: &[u8], value: &Value) -> Issue {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let Err(error) = serde_path_to_error::deserialize::<_, T>(AnyNumber(&mut deserializer)) else {
        return Issue::new(Vec::new(), "parse", "expected another payload");
    };
    // The path may end with a field that is absent, so only the steps that the payload has are kept.
    let (mut path, mut at) = (Vec::new(), Some(value));
    for step in error.path().iter().filter_map(segment) {
        let inner = at.and_then(|value| match &step {
            Segment::Key(key) => value.get(key),
            Segment::Index(index) => value.get(index),
        });
        match (inner, step) {
            (None, _) => {}
            (inner, Segment::Key(key)) => {
                path.push(wording::key(&key));
                at = inner;
            }
            (inner, index) => {
                path.push(index);
                at = inner;
            }
        }
    }
    issue_of(path, &sentence(error.inner()))
}

pub(super) fn segment(step: &Step) -> Option<Segment> {
    match step {
        Step::Seq { index } => Some(Segment::Index(*index)),
        Step::Map { key } | Step::Enum { variant: key } => Some(Segment::Key(key.clone())),
        Step::Unknown => None,
    }
}

/// Returns serde's sentence without the position at its end.
pub(super) fn sentence(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) if error.line() > 0 => text[..end].to_owned(),
        _ => text,
    }
}

/// Converts serde's sentence to an issue, without the parts of the input that it repeats.
fn issue_of(mut path: Vec<Segment>, text: &str) -> Issue {
    let named = |prefix: &str| Some(text.strip_prefix(prefix)?.split('`').next()?.to_owned());
    let expected = |text: &str| {
        text.rsplit_once(", expected ")
            .map(|(_, expected)| expected.to_owned())
    };
    if let Some(key) = named("duplicate field `") {
        path.push(wording::key(&key));
        return Issue::new(path, "duplicate_key", "expected the key once, got it twice");
    }
    if let Some(key) = named("missing field `") {
        path.push(wording::key(&key));
        return Issue::new(path, "required", "expected a value, but it is missing");
    }
    if let Some(key) = named("unknown field `") {
        path.push(wording::key(&key));
        let message = expected(text).map_or_else(
            || "unknown key".to_owned(),
            |keys| format!("unknown key; expected {keys}"),
        );
        return Issue::new(path, "unknown_key", wording::sentence(&message));
    }
    if text.starts_with("unknown variant `") {
        let message =
            expected(text).map_or_else(|| "unknown name".to_owned(), |names| format!("expected {names}"));
        return Issue::new(
            path,
            "enum",
            wording::sentence(&format!("{message}, got another name")),
        );
    }
    if text.starts_with("data did not match any variant of untagged enum") {
        return Issue::new(
            path,
            "union",
            "expected one of several shapes, got something else",
        );
    }
    for (prefix, code) in [
        ("invalid type: ", "type"),
        ("invalid value: ", "custom"),
        ("invalid length ", "custom"),
    ] {
        let Some(got) = text.strip_prefix(prefix) else {
            continue;
        };
        let Some(expected) = expected(text) else { continue };
        let actual = json_type(got);
        let message = match (code, actual) {
            ("type", Some(actual)) => format!("expected {expected}, got {}", wording::article(actual)),
            _ => format!("expected {expected}, got something else"),
        };
        let issue = Issue::new(path, code, wording::sentence(&message));
        return match (code, actual) {
            ("type", Some(actual)) => issue
                .with("expected", wording::cut(&expected))
                .with("actual", actual),
            _ => issue,
        };
    }
    Issue::new(path, "custom", wording::sentence(text))
}

/// Returns the JSON type for serde's name of the received value.
fn json_type(got: &str) -> Option<&'static str> {
    Some(match got.split([' ', ',']).next()? {
        "string" | "character" => "string",
        "integer" | "floating" => "number",
        "boolean" => "boolean",
        "null" | "unit" | "Option" => "null",
        "sequence" | "tuple" => "array",
        "map" => "object",
        _ => return None,
    })
}
