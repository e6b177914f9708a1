//! Parses of variants of a payload, which show how serde reads one part of it.

use std::marker::PhantomData;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::shape;
use crate::{
    error::{Issue, Segment},
    protocol::AnyNumber,
};

/// Minimum number of bytes that the variants of one payload may have together.
const MIN_BYTES: usize = 1 << 18;

/// Bytes by which a variant may be longer than the payload, and the cost of a parse besides its bytes.
const OVERHEAD: usize = 512;

/// Parser of variants of one payload. It stops when they have too many bytes together.
pub(super) struct Probe<T> {
    size: usize,
    /// Number of bytes that may still be parsed.
    bytes: usize,
    parses: PhantomData<fn() -> T>,
}

/// Returns the payload with other values where the issues are about a type, a name or a range. serde then reads it up to
/// the part that a probe is about, even where it reads flattened structs last.
pub(super) fn without_issues(value: &Value, issues: &[Issue]) -> Value {
    let mut value = value.clone();
    for issue in issues {
        let param = |name: &str| issue.params.get(name);
        let sample = match &*issue.code {
            "type" => param("expected").map(|expected| of_type(expected.get(0).unwrap_or(expected))),
            "enum" => param("allowed").and_then(|allowed| allowed.get(0)).cloned(),
            "const" => param("expected").cloned(),
            "minimum" => param("min").cloned(),
            "maximum" => param("max").cloned(),
            _ => None,
        };
        let place = issue
            .path
            .iter()
            .try_fold(&mut value, |value, segment| match segment {
                Segment::Key(key) => value.get_mut(key),
                Segment::Index(index) => value.get_mut(index),
            });
        if let (Some(place), Some(sample)) = (place, sample) {
            *place = sample;
        }
    }
    value
}

fn of_type(name: &Value) -> Value {
    match name.as_str() {
        Some("string") => "".into(),
        Some("integer" | "number") => 0.into(),
        Some("boolean") => false.into(),
        Some("array") => Value::Array(Vec::new()),
        Some("object") => Value::Object(Map::new()),
        _ => Value::Null,
    }
}

/// Error of a parse: its path, and serde's sentence.
#[derive(Debug, PartialEq)]
pub(super) struct Failure {
    pub(super) path: Vec<Segment>,
    pub(super) sentence: String,
}

impl<T: DeserializeOwned> Probe<T> {
    /// Creates a parser for the variants of a payload of this size.
    pub(super) fn new(size: usize) -> Self {
        Self {
            size,
            bytes: MIN_BYTES.max(4 * size),
            parses: PhantomData,
        }
    }

    /// Returns true if no further variant is parsed.
    pub(super) const fn is_exhausted(&self) -> bool {
        self.bytes < self.size + OVERHEAD
    }

    /// Parses `value` with the members `first` in the object at `path`, in place of those of the same name and of the
    /// members `without`. Each object on the path has the member on the path first, so that serde reads it before it
    /// fails elsewhere.
    ///
    /// Returns the failure, or `Some(None)` if it parses. Returns none if there is no such object, or too much was
    /// parsed before.
    pub(super) fn parse(
        &mut self,
        value: &Value,
        path: &[Segment],
        first: &[(&str, &Value)],
        without: &[String],
    ) -> Option<Option<Failure>> {
        if self.is_exhausted() {
            return None;
        }
        self.bytes -= self.size + OVERHEAD;
        let mut json = String::with_capacity(self.size + OVERHEAD);
        write(&mut json, value, path, (first, without))?;
        let mut deserializer = serde_json::Deserializer::from_str(&json);
        let failed = serde_path_to_error::deserialize::<_, T>(AnyNumber(&mut deserializer)).err();
        Some(failed.map(|error| Failure {
            path: error.path().iter().filter_map(shape::segment).collect(),
            sentence: shape::sentence(error.inner()),
        }))
    }
}

/// Members that are written first in an object, and the names of those that are left out.
type Change<'a> = (&'a [(&'a str, &'a Value)], &'a [String]);

fn write(json: &mut String, value: &Value, path: &[Segment], change: Change<'_>) -> Option<()> {
    match (path, value) {
        ([Segment::Key(key), rest @ ..], Value::Object(members)) => {
            json.push('{');
            push(json, key);
            write(json, members.get(key)?, rest, change)?;
            for (name, value) in members.iter().filter(|(name, _)| *name != key) {
                json.push(',');
                push(json, name);
                json.push_str(&value.to_string());
            }
            json.push('}');
        }
        ([Segment::Index(index), rest @ ..], Value::Array(items)) => {
            json.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    json.push(',');
                }
                if at == *index {
                    write(json, item, rest, change)?;
                } else {
                    json.push_str(&item.to_string());
                }
            }
            json.push(']');
        }
        ([], Value::Object(members)) => {
            let (first, without) = change;
            let others = members
                .iter()
                .map(|(name, value)| (name.as_str(), value))
                .filter(|(name, _)| first.iter().all(|(other, _)| other != name))
                .filter(|(name, _)| without.iter().all(|other| other != name));
            json.push('{');
            for (at, (name, value)) in first.iter().copied().chain(others).enumerate() {
                if at > 0 {
                    json.push(',');
                }
                push(json, name);
                json.push_str(&value.to_string());
            }
            json.push('}');
        }
        _ => return None,
    }
    Some(())
}

fn push(json: &mut String, name: &str) {
    json.push_str(&Value::from(name).to_string());
    json.push(':');
}
