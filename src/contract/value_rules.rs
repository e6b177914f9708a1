//! Comparison of the rules that schemas have for a single value: type, constants, bounds.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::rule::Rule;

type Object = Map<String, Value>;

/// Keywords whose number is a lower bound, and the types that they apply to.
const LOWER: [(&str, &[&str]); 5] = [
    ("minimum", NUMBER),
    ("exclusiveMinimum", NUMBER),
    ("minLength", STRING),
    ("minItems", ARRAY),
    ("minProperties", OBJECT),
];
/// Keywords whose number is an upper bound, and the types that they apply to.
const UPPER: [(&str, &[&str]); 5] = [
    ("maximum", NUMBER),
    ("exclusiveMaximum", NUMBER),
    ("maxLength", STRING),
    ("maxItems", ARRAY),
    ("maxProperties", OBJECT),
];
/// Keywords that are compared as text, and the types that they apply to.
const TEXT: [(&str, &[&str]); 6] = [
    ("pattern", STRING),
    ("format", &["string", "number", "integer"]),
    ("multipleOf", NUMBER),
    ("uniqueItems", ARRAY),
    ("not", &[]),
    ("propertyNames", OBJECT),
];
const NUMBER: &[&str] = &["number", "integer"];
const STRING: &[&str] = &["string"];
const ARRAY: &[&str] = &["array"];
const OBJECT: &[&str] = &["object"];

/// Returns the rules of `to` for a value's type, constants and bounds that values of `from` may break.
pub(super) fn broken_rules(from: &Object, to: &Object) -> Vec<Rule> {
    match (constants(from), constants(to)) {
        (Some(given), Some(accepted)) => given
            .into_iter()
            .filter(|value| !accepted.contains(value))
            .map(|value| Rule::Not(value.to_string()))
            .collect(),
        (None, Some(accepted)) => {
            let accepted: Vec<_> = accepted.iter().map(ToString::to_string).collect();
            vec![Rule::Only(accepted.join(", "))]
        }
        (given, None) => {
            let mut broken = broken_types(from, to);
            match given {
                Some(given) => broken.extend(given.iter().flat_map(|value| broken_bounds(&only(value), to))),
                None => broken.extend(broken_bounds(from, to)),
            }
            broken.dedup();
            broken
        }
    }
}

fn broken_types(from: &Object, to: &Object) -> Vec<Rule> {
    let (given, accepted) = (types(from), types(to));
    if !accepted.is_empty() && given.is_empty() {
        return vec![Rule::Only(accepted.join(", "))];
    }
    let fits = |kind: &&str| {
        accepted.is_empty() || accepted.contains(kind) || *kind == "integer" && accepted.contains(&"number")
    };
    let others = given.into_iter().filter(|kind| !fits(kind));
    others.map(|kind| Rule::Not(kind.to_owned())).collect()
}

fn broken_bounds(from: &Object, to: &Object) -> Vec<Rule> {
    let given = types(from);
    let applies = |kinds: &[&str]| {
        given.is_empty() || kinds.is_empty() || given.iter().any(|kind| kinds.contains(kind))
    };
    let mut broken = Vec::new();
    for (keyword, _) in LOWER.into_iter().filter(|(_, kinds)| applies(kinds)) {
        if let Some(bound) = number(to, keyword)
            && lower(from, keyword).is_none_or(|other| other < bound)
        {
            broken.push(Rule::Keyword(format!("{keyword} {bound}")));
        }
    }
    for (keyword, _) in UPPER.into_iter().filter(|(_, kinds)| applies(kinds)) {
        if let Some(bound) = number(to, keyword)
            && upper(from, keyword).is_none_or(|other| other > bound)
        {
            broken.push(Rule::Keyword(format!("{keyword} {bound}")));
        }
    }
    for (keyword, _) in TEXT.into_iter().filter(|(_, kinds)| applies(kinds)) {
        if let Some(rule) = to.get(keyword)
            && from.get(keyword) != Some(rule)
            && *rule != Value::Bool(false)
            && !(keyword == "format" && fits_number_format(from, rule))
        {
            broken.push(Rule::Keyword(format!("{keyword} {rule}")));
        }
    }
    broken
}

/// Returns the narrowest schema of one constant.
fn only(value: &Value) -> Object {
    let bounds = |kind: &str, least: &str, most: &str, bound: Value| {
        let members = [("type", kind.into()), (least, bound.clone()), (most, bound)];
        members
            .map(|(keyword, value)| (keyword.to_owned(), value))
            .into_iter()
            .collect()
    };
    match value {
        Value::String(text) => bounds("string", "minLength", "maxLength", text.chars().count().into()),
        Value::Number(number) => bounds("number", "minimum", "maximum", number.clone().into()),
        Value::Array(items) => bounds("array", "minItems", "maxItems", items.len().into()),
        Value::Object(members) => bounds("object", "minProperties", "maxProperties", members.len().into()),
        Value::Bool(_) => Object::from_iter([("type".to_owned(), "boolean".into())]),
        Value::Null => Object::from_iter([("type".to_owned(), "null".into())]),
    }
}

fn number(schema: &Object, keyword: &str) -> Option<f64> {
    schema.get(keyword).and_then(Value::as_f64)
}

/// Returns a lower bound. A number's format is one, too.
fn lower(schema: &Object, keyword: &str) -> Option<f64> {
    let format = schema
        .get("format")
        .filter(|_| keyword == "minimum")
        .and_then(number_format);
    let bounds = [number(schema, keyword), format.map(|range| *range.start())];
    bounds.into_iter().flatten().reduce(f64::max)
}

/// Returns an upper bound. A number's format is one, too.
fn upper(schema: &Object, keyword: &str) -> Option<f64> {
    let format = schema
        .get("format")
        .filter(|_| keyword == "maximum")
        .and_then(number_format);
    let bounds = [number(schema, keyword), format.map(|range| *range.end())];
    bounds.into_iter().flatten().reduce(f64::min)
}

/// Returns true if `format` is one of numbers, and includes all numbers of a schema.
fn fits_number_format(schema: &Object, format: &Value) -> bool {
    let Some(range) = number_format(format) else {
        return false;
    };
    let least = lower(schema, "minimum").unwrap_or(f64::NEG_INFINITY);
    let most = upper(schema, "maximum").unwrap_or(f64::INFINITY);
    range.contains(&least) && range.contains(&most)
}

/// Returns the range of a format of numbers, as schemars writes it. `None` for other formats.
fn number_format(format: &Value) -> Option<RangeInclusive<f64>> {
    let format = format.as_str()?;
    if matches!(format, "float" | "double") {
        return Some(f64::NEG_INFINITY..=f64::INFINITY);
    }
    let bits = |width: &str| match width {
        // `usize` and `isize`, on the machines where they are largest.
        "" => Some(64),
        width => width.parse::<i32>().ok(),
    };
    match format.strip_prefix("uint") {
        Some(width) => Some(0.0..=2_f64.powi(bits(width)?) - 1.0),
        None => {
            let half = 2_f64.powi(bits(format.strip_prefix("int")?)? - 1);
            Some(-half..=half - 1.0)
        }
    }
}

/// Returns the constants that a schema accepts. `None` for a schema that is not limited to constants.
pub(super) fn constants(schema: &Object) -> Option<Vec<&Value>> {
    match (schema.get("const"), schema.get("enum")) {
        (Some(value), _) => Some(vec![value]),
        (None, Some(Value::Array(values))) => Some(values.iter().collect()),
        _ => None,
    }
}

/// Returns the types that a schema accepts. Empty if it accepts all.
pub(super) fn types(schema: &Object) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(kind)) => vec![kind],
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}
