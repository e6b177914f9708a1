//! Types of connect headers. A header's value is a text, and its type decides how that is read.

use std::collections::{BTreeMap, BTreeSet};

use http::header::SEC_WEBSOCKET_PROTOCOL;
use serde_json::{Number, Value};

use crate::contract::{Definitions, Direction, SchemaOf, local_name, settings};

/// Types of an app's connect headers, by their names.
pub(crate) struct HeaderKinds {
    kinds: BTreeMap<String, Kind>,
    /// A sentence about each header whose type no text can hold.
    pub(crate) problems: Vec<String>,
}

/// The JSON types of a header.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Kind {
    number: bool,
    boolean: bool,
}

impl HeaderKinds {
    /// Reads the types from the schema of the headers.
    pub(crate) fn of(schema_of: SchemaOf) -> Self {
        let mut generator = settings(Direction::Input).into_generator();
        let root = schema_of(&mut generator).to_value();
        let types: Definitions = generator.take_definitions(true).into_iter().collect();
        let root = Shape::of(&[&root], &types);
        let mut kinds = BTreeMap::new();
        let mut problems = Vec::new();
        if !root.kinds.is_empty() && !root.kinds.contains("object") {
            problems.push(format!(
                "the connect headers are {}: expected a struct, or `NoHeaders`",
                list(&root.kinds)
            ));
        }
        if root.is_open {
            problems.push(
                "the connect headers have members of any name, of which none would be read: expected a struct with a \
                 field for each connect header"
                    .to_owned(),
            );
        }
        problems.extend(alike(root.members.keys().copied()));
        for (name, places) in &root.members {
            if name.eq_ignore_ascii_case(SEC_WEBSOCKET_PROTOCOL.as_str()) {
                problems.push(format!(
                    "connect header `{name}` has the offers of the protocol, tokens among them: expected a header of \
                     another name, or an `on_connect` that takes the request's parts"
                ));
                continue;
            }
            match Shape::of(places, &types).kind() {
                Ok(kind) => {
                    kinds.insert((*name).to_owned(), kind);
                }
                Err(problem) => problems.push(format!("connect header `{name}` {problem}")),
            }
        }
        Self { kinds, problems }
    }

    /// Returns a header's text as JSON: a number or a boolean if it is one and the header can be one, otherwise a string.
    pub(super) fn json(&self, name: &str, text: &str) -> String {
        let kind = self.kinds.get(name).copied().unwrap_or_default();
        if kind.boolean && matches!(text, "true" | "false") || kind.number && is_number(text) {
            text.to_owned()
        } else {
            Value::from(text).to_string()
        }
    }
}

/// Returns a sentence about the names that differ only by case. A field would be read as each of these headers.
fn alike<'a>(names: impl Iterator<Item = &'a str>) -> impl Iterator<Item = String> {
    let mut by_field: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for name in names {
        by_field
            .entry(name.to_ascii_lowercase())
            .or_default()
            .push(format!("`{name}`"));
    }
    by_field.into_values().filter(|names| names.len() > 1).map(|names| {
        format!(
            "the connect headers {} differ only by case, which the fields of HTTP ignore: give them different names",
            names.join(" and ")
        )
    })
}

/// Returns true for a number as JSON writes it.
fn is_number(text: &str) -> bool {
    // The parser also takes white space around it.
    text.starts_with(|first: char| first == '-' || first.is_ascii_digit())
        && text.ends_with(|last: char| last.is_ascii_digit())
        && serde_json::from_str::<Number>(text).is_ok()
}

/// The content of a schema, with its references and branches merged.
#[derive(Default)]
struct Shape<'a> {
    /// Names of the JSON types.
    kinds: BTreeSet<&'static str>,
    members: BTreeMap<&'a str, Vec<&'a Value>>,
    /// True if there can be members without a schema of their own.
    is_open: bool,
}

impl<'a> Shape<'a> {
    fn of(places: &[&'a Value], types: &'a Definitions) -> Self {
        let mut shape = Self::default();
        let mut open = places.to_vec();
        let mut followed = BTreeSet::new();
        while let Some(schema) = open.pop() {
            let Value::Object(keywords) = schema else { continue };
            for (keyword, value) in keywords {
                match (keyword.as_str(), value) {
                    ("$ref", Value::String(target)) => {
                        let target = local_name(target).and_then(|name| types.get_key_value(&*name));
                        if let Some((name, schema)) = target
                            && followed.insert(name)
                        {
                            open.push(schema);
                        }
                    }
                    ("allOf" | "anyOf" | "oneOf", Value::Array(branches)) => open.extend(branches),
                    ("type", Value::String(kind)) => shape.kinds.extend(kind_named(kind)),
                    ("type", Value::Array(kinds)) => {
                        let kinds = kinds.iter().filter_map(Value::as_str);
                        shape.kinds.extend(kinds.filter_map(kind_named));
                    }
                    ("const", constant) => shape.kinds.extend([kind_of(constant)]),
                    ("enum", Value::Array(constants)) => shape.kinds.extend(constants.iter().map(kind_of)),
                    ("properties", Value::Object(members)) => {
                        for (name, schema) in members {
                            shape.members.entry(name).or_default().push(schema);
                        }
                    }
                    ("patternProperties", _) => shape.is_open = true,
                    ("additionalProperties" | "unevaluatedProperties", rest) => {
                        shape.is_open |= *rest != Value::Bool(false);
                    }
                    ("items" | "prefixItems", _) => shape.kinds.extend(["array"]),
                    _ => {}
                }
            }
        }
        shape
    }

    /// Returns the kind of a header, or the end of a sentence about it.
    fn kind(&self) -> Result<Kind, String> {
        let mut kinds = self.kinds.clone();
        let is_nullable = kinds.remove("null");
        let has = |kind| kinds.contains(kind);
        if has("array") || has("object") || !self.members.is_empty() {
            let kinds = if self.members.is_empty() {
                kinds
            } else {
                BTreeSet::from(["object"])
            };
            return Err(format!(
                "is {}, which the text of a header can't hold: expected a string, a number, a boolean, an enum without \
                 data, or an `Option` of one of them",
                list(&kinds)
            ));
        }
        if has("string") && kinds.len() > 1 {
            return Err(format!(
                "is {}, between which the text of a header does not decide",
                list(&kinds)
            ));
        }
        if kinds.is_empty() && is_nullable {
            return Err("is only null, which the text of a header can't be".to_owned());
        }
        Ok(Kind {
            number: has("number"),
            boolean: has("boolean"),
        })
    }
}

fn kind_named(name: &str) -> Option<&'static str> {
    Some(match name {
        "string" => "string",
        "number" | "integer" => "number",
        "boolean" => "boolean",
        "null" => "null",
        "array" => "array",
        "object" => "object",
        _ => return None,
    })
}

const fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "string",
        Value::Number(_) => "number",
        Value::Bool(_) => "boolean",
        Value::Null => "null",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Lists types: `an array or a string`.
fn list(kinds: &BTreeSet<&str>) -> String {
    let with_article = |kind: &&str| match *kind {
        "null" => "null".to_owned(),
        "array" | "object" => format!("an {kind}"),
        kind => format!("a {kind}"),
    };
    kinds.iter().map(with_article).collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_json() {
        for text in [
            "0",
            "-0",
            "1.5",
            "1e3",
            "1E+21",
            "-1.5e-7",
            "18446744073709551616",
        ] {
            assert!(is_number(text), "{text}");
        }
        for text in [
            "", " 1", "1 ", "\t1", "+1", "01", ".5", "5.", "1e", "0x1", "NaN", "Infinity", "-", "1,5", "1_0",
            "\u{661}",
        ] {
            assert!(!is_number(text), "{text}");
        }
    }
}
