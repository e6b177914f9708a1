//! Conversion of schemas to TypeScript types.

use std::{collections::BTreeSet, fmt::Write};

use serde_json::{Map, Value};

use crate::contract::{Types, names::Names};

type Object = Map<String, Value>;

/// Writes schemas as type expressions.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    pub(super) names: &'a Names,
    /// True for types that clients send. Their optional members take `undefined`, which JSON omits: otherwise
    /// `exactOptionalPropertyTypes` refuses it.
    pub(super) is_input: bool,
}

/// Returns the declarations of all named types, each once, in the order of the names.
pub(super) fn declarations(names: &Names, types: &Types) -> String {
    let inputs = names.of_inputs();
    let mut text = String::new();
    for (name, schema) in names.types(types) {
        text.push_str(&doc(schema, ""));
        let is_input = inputs.contains(name);
        let body = Writer { names, is_input }.type_of(schema, "");
        // Editors show an interface better than an alias, but only a plain object can be an interface.
        if body.starts_with('{') && body.ends_with('}') && is_plain_object(schema) {
            let _ = writeln!(text, "export interface {name} {body}\n");
        } else {
            let _ = writeln!(text, "export type {name} = {body};\n");
        }
    }
    text
}

impl Writer<'_> {
    /// Returns a schema as a type expression. All lines after the first are indented by `indent`.
    pub(super) fn type_of(&self, schema: &Value, indent: &str) -> String {
        match schema {
            Value::Bool(false) => "never".to_owned(),
            Value::Object(schema) if !schema.is_empty() => self.object(schema, indent),
            _ => "unknown".to_owned(),
        }
    }

    fn object(&self, schema: &Object, indent: &str) -> String {
        // All keywords of a schema apply at once, so the parts are intersected.
        let mut parts = Vec::new();
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            parts.push(self.names.of(reference).unwrap_or("unknown").to_owned());
        }
        if let Some(constants) = constants(schema) {
            parts.push(union(constants.iter().map(|value| constant(value)).collect()));
        } else if let Some(base) = self.base(schema, indent) {
            parts.push(base);
        }
        for keyword in ["oneOf", "anyOf"] {
            if let Some(variants) = schema.get(keyword).and_then(Value::as_array) {
                parts.push(union(
                    variants
                        .iter()
                        .map(|variant| self.type_of(variant, indent))
                        .collect(),
                ));
            }
        }
        for part in schema
            .get("allOf")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            parts.push(self.type_of(part, indent));
        }
        match parts.len() {
            0 => "unknown".to_owned(),
            1 => parts.remove(0),
            _ => parts
                .iter()
                .map(|part| in_parentheses(part, '|'))
                .collect::<Vec<_>>()
                .join(" & "),
        }
    }

    /// Returns the type that `type` names, or that the keywords for members and items imply.
    fn base(&self, schema: &Object, indent: &str) -> Option<String> {
        let kinds: Vec<&str> = match schema.get("type") {
            Some(Value::String(kind)) => vec![kind],
            Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
            _ if schema.contains_key("properties") || schema.contains_key("additionalProperties") => {
                vec!["object"]
            }
            _ if schema.contains_key("items") || schema.contains_key("prefixItems") => vec!["array"],
            _ => return None,
        };
        let has_variants = ["oneOf", "anyOf", "$ref"]
            .iter()
            .any(|keyword| schema.contains_key(*keyword));
        let kinds: Vec<_> = kinds
            .into_iter()
            .map(|kind| match kind {
                "string" => "string".to_owned(),
                "number" | "integer" => "number".to_owned(),
                "boolean" => "boolean".to_owned(),
                "null" => "null".to_owned(),
                "array" => self.array(schema, indent),
                // Beside variants, an object without members adds nothing.
                "object" if has_variants && !schema.contains_key("properties") => String::new(),
                "object" => self.members(schema, indent),
                _ => "unknown".to_owned(),
            })
            .filter(|kind| !kind.is_empty())
            .collect();
        (!kinds.is_empty()).then(|| union(kinds))
    }

    fn array(&self, schema: &Object, indent: &str) -> String {
        if let Some(items) = schema.get("prefixItems").and_then(Value::as_array) {
            let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0);
            let item = |(position, item): (usize, &Value)| {
                let optional = if (position as u64) < least { "" } else { "?" };
                let item = self.type_of(item, indent);
                if optional.is_empty() {
                    item
                } else {
                    format!("{}{optional}", in_parentheses(&item, '|'))
                }
            };
            return format!(
                "[{}]",
                items.iter().enumerate().map(item).collect::<Vec<_>>().join(", ")
            );
        }
        let item = schema
            .get("items")
            .map_or_else(|| "unknown".to_owned(), |item| self.type_of(item, indent));
        let bound = |name: &str| schema.get(name).and_then(Value::as_u64);
        match (bound("minItems"), bound("maxItems")) {
            // A short array of fixed length is a tuple: `[f64; 2]`.
            (Some(least), Some(most)) if least == most && (1..=16).contains(&least) => {
                format!("[{}]", vec![item; usize::try_from(least).unwrap_or(0)].join(", "))
            }
            _ => format!("{}[]", in_parentheses(&item, ' ')),
        }
    }

    fn members(&self, schema: &Object, indent: &str) -> String {
        let inner = format!("{indent}  ");
        let required = |name: &str| {
            schema
                .get("required")
                .and_then(Value::as_array)
                .is_some_and(|names| names.iter().any(|other| other == name))
        };
        let mut text = String::new();
        for (name, member) in schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            text.push_str(&doc(member, &inner));
            let is_optional = !required(name);
            let mut value = self.type_of(member, &inner);
            if is_optional && self.is_input {
                value = union(vec![value, "undefined".to_owned()]);
            }
            let optional = if is_optional { "?" } else { "" };
            let _ = writeln!(text, "{inner}{}{optional}: {value};", property(name));
        }
        let rest = match (
            schema.get("additionalProperties"),
            schema.get("patternProperties"),
        ) {
            (_, Some(Value::Object(patterns))) => Some(union(
                patterns
                    .values()
                    .map(|schema| self.type_of(schema, &inner))
                    .collect(),
            )),
            (Some(rest), _) if *rest != Value::Bool(false) => Some(self.type_of(rest, &inner)),
            _ => None,
        };
        match (rest, text.is_empty()) {
            (Some(rest), true) => format!("Record<string, {rest}>"),
            // A map beside members: TypeScript has no type for "all other members", so they are `unknown`.
            (Some(_), false) => format!("{{\n{text}{inner}[key: string]: unknown;\n{indent}}}"),
            (None, true) if schema.get("additionalProperties") == Some(&Value::Bool(false)) => {
                "Record<string, never>".to_owned()
            }
            (None, true) => "Record<string, unknown>".to_owned(),
            (None, false) => format!("{{\n{text}{indent}}}"),
        }
    }
}

fn constants(schema: &Object) -> Option<Vec<&Value>> {
    match (schema.get("const"), schema.get("enum")) {
        (Some(value), _) => Some(vec![value]),
        (None, Some(Value::Array(values))) => Some(values.iter().collect()),
        _ => None,
    }
}

fn constant(value: &Value) -> String {
    match value {
        Value::Array(_) | Value::Object(_) => "unknown".to_owned(),
        // JSON text is valid TypeScript, except for two line separators that older parsers reject in a string.
        value => value
            .to_string()
            .replace('\u{2028}', "\\u2028")
            .replace('\u{2029}', "\\u2029"),
    }
}

/// Returns a text as a TypeScript string literal.
pub(super) fn literal(text: &str) -> String {
    constant(&Value::from(text))
}

fn union(mut variants: Vec<String>) -> String {
    let mut seen = BTreeSet::new();
    variants.retain(|variant| seen.insert(variant.clone()));
    match variants.len() {
        0 => "never".to_owned(),
        1 => variants.remove(0),
        _ if variants.iter().any(|variant| variant == "unknown") => "unknown".to_owned(),
        _ => variants
            .iter()
            .map(|variant| in_parentheses(variant, '&'))
            .collect::<Vec<_>>()
            .join(" | "),
    }
}

/// Puts a type in parentheses if it has this operator at its top level. A space stands for any operator.
fn in_parentheses(part: &str, operator: char) -> String {
    let mut depth = 0_usize;
    let mut quoted = false;
    let mut escaped = false;
    for letter in part.chars() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '{' | '[' | '(' | '<' => depth += 1,
            '}' | ']' | ')' | '>' => depth = depth.saturating_sub(1),
            _ if depth == 0
                && (letter == operator || operator == ' ' && (letter == '|' || letter == '&')) =>
            {
                return format!("({part})");
            }
            _ => {}
        }
    }
    part.to_owned()
}

fn is_plain_object(schema: &Value) -> bool {
    ["oneOf", "anyOf", "allOf", "$ref"]
        .iter()
        .all(|keyword| schema.get(keyword).is_none())
        && schema.get("type").is_none_or(|kind| kind == "object")
}

/// Returns a member's name, quoted if it is not an identifier.
pub(super) fn property(name: &str) -> String {
    let plain = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_' || first == '$')
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_' || letter == '$')
        // In an object literal, this name would set the prototype.
        && name != "__proto__";
    if plain { name.to_owned() } else { literal(name) }
}

/// Returns a schema's documentation as a doc comment: description, 64-bit integers, default, deprecation.
pub(super) fn doc(schema: &Value, indent: &str) -> String {
    comment(&doc_lines(schema).join("\n"), indent)
}

pub(super) fn doc_lines(schema: &Value) -> Vec<String> {
    let text = |keyword: &str| schema.get(keyword).and_then(Value::as_str).map(str::to_owned);
    let mut lines: Vec<String> = text("description")
        .iter()
        .flat_map(|text| text.lines())
        .map(str::to_owned)
        .collect();
    lines.extend(rounding(schema));
    if let Some(default) = schema.get("default") {
        lines.push(format!("@default {default}"));
    }
    if schema.get("deprecated") == Some(&Value::Bool(true)) {
        lines.push("@deprecated".to_owned());
    }
    lines
}

/// Returns a sentence about the integers of a schema that a number of JavaScript can't hold. Named types and members of
/// objects have comments of their own.
pub(super) fn rounding(schema: &Value) -> Option<String> {
    if let Some(bits) = integer_bits(schema) {
        return Some(format!(
            "A {bits}-bit integer: beyond 2^53 - 1, JSON.parse rounds it."
        ));
    }
    let bits = nested_bits(schema)?;
    Some(format!(
        "Has {bits}-bit integers: beyond 2^53 - 1, JSON.parse rounds them."
    ))
}

/// Returns the size of the integer that a schema is itself, if a number of JavaScript can't hold it. `usize` has 64 bits on
/// most machines.
fn integer_bits(schema: &Value) -> Option<u8> {
    match schema.get("format")?.as_str()? {
        "int64" | "uint64" | "int" | "uint" => Some(64),
        "int128" | "uint128" => Some(128),
        _ => None,
    }
}

/// Returns the size of the largest such integer within arrays, tuples, maps and variants.
fn nested_bits(schema: &Value) -> Option<u8> {
    let keywords = schema.as_object()?;
    let parts = keywords
        .iter()
        .flat_map(|(keyword, value)| match (keyword.as_str(), value) {
            ("items" | "additionalProperties", schema) => vec![schema],
            ("prefixItems" | "anyOf" | "oneOf" | "allOf", Value::Array(schemas)) => schemas.iter().collect(),
            ("patternProperties", Value::Object(schemas)) => schemas.values().collect(),
            _ => Vec::new(),
        });
    parts
        .filter_map(|part| integer_bits(part).max(nested_bits(part)))
        .max()
}

/// Returns a text as a doc comment. An empty text has no comment.
pub(super) fn comment(text: &str, indent: &str) -> String {
    let text = text.trim().replace("*/", "*\\/");
    match text.lines().count() {
        0 => String::new(),
        1 => format!("{indent}/** {text} */\n"),
        _ => {
            let lines = text
                .lines()
                .map(|line| format!("{indent} * {line}").trim_end().to_owned() + "\n");
            format!("{indent}/**\n{}{indent} */\n", lines.collect::<String>())
        }
    }
}
