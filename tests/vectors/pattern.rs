//! Patterns that match JSON.

use std::collections::BTreeMap;

use serde_json::{Value, value::RawValue};

/// A pattern of JSON.
enum Pattern<'a> {
    /// Any value of this type.
    Any(&'a str),
    /// A string with this prefix.
    Prefix(&'a str),
    /// A token with exactly this spelling.
    Token(&'a str),
    /// An array with these elements in any order.
    Unordered(&'a [Value]),
    /// An array of this length.
    Length(u64),
    /// Exactly this value.
    Literal(&'a Value),
}

impl<'a> Pattern<'a> {
    fn of(written: &'a Value) -> Self {
        let alone = written
            .as_object()
            .filter(|members| members.len() == 1)
            .and_then(|members| members.iter().next());
        let Some((key, argument)) = alone.filter(|(key, _)| key.starts_with('$')) else {
            return Self::Literal(written);
        };
        let text = || argument.as_str().expect("a pattern's text");
        match key.as_str() {
            "$any" => Self::Any(text()),
            "$prefix" => Self::Prefix(text()),
            "$token" => Self::Token(text()),
            "$unordered" => Self::Unordered(argument.as_array().expect("a pattern's items")),
            "$length" => Self::Length(argument.as_u64().expect("a pattern's length")),
            _ => panic!("not a pattern that is known: {written}"),
        }
    }
}

/// Compares JSON with a pattern. The error contains both.
pub fn check(expected: &Value, got: &str) -> Result<(), String> {
    let whole = || format!("expected {expected}\n  got {got}");
    let raw = serde_json::from_str::<&RawValue>(got).map_err(|_| whole())?;
    matches(expected, raw).map_err(|at| format!("{}\n  which differ at: {at}", whole()))
}

/// Returns an error with the place of the first difference.
fn matches(expected: &Value, got: &RawValue) -> Result<(), String> {
    let json = got.get();
    let value = || serde_json::from_str::<Value>(json).unwrap_or_default();
    let holds = match Pattern::of(expected) {
        Pattern::Any(name) => type_of(&value()) == name,
        Pattern::Prefix(prefix) => value().as_str().is_some_and(|text| text.starts_with(prefix)),
        Pattern::Token(token) => json == token,
        Pattern::Unordered(all) => return unordered(all, json),
        Pattern::Length(length) => value().as_array().map(|items| items.len() as u64) == Some(length),
        Pattern::Literal(Value::Object(members)) => {
            let Ok(got) = serde_json::from_str::<BTreeMap<String, &RawValue>>(json) else {
                return Err(format!("an object, not {json}"));
            };
            for (name, expected) in members {
                match got.get(name) {
                    Some(got) => matches(expected, got).map_err(|at| format!("{name}: {at}"))?,
                    None => return Err(format!("{name}: it is missing")),
                }
            }
            return match got.keys().find(|name| !members.contains_key(*name)) {
                Some(name) => Err(format!("{name}: it is there")),
                None => Ok(()),
            };
        }
        Pattern::Literal(Value::Array(items)) => {
            let got = serde_json::from_str::<Vec<&RawValue>>(json).unwrap_or_default();
            for (index, (expected, got)) in items.iter().zip(&got).enumerate() {
                matches(expected, got).map_err(|at| format!("{index}: {at}"))?;
            }
            got.len() == items.len() && json.starts_with('[')
        }
        Pattern::Literal(plain @ Value::Number(number)) => {
            let got = value();
            got == *plain || got.is_number() && got.as_f64() == number.as_f64()
        }
        Pattern::Literal(plain) => value() == *plain,
    };
    if holds {
        Ok(())
    } else {
        Err(format!("{expected}, not {json}"))
    }
}

fn unordered(all: &[Value], json: &str) -> Result<(), String> {
    let mut got =
        serde_json::from_str::<Vec<&RawValue>>(json).map_err(|_| format!("an array, not {json}"))?;
    for expected in all {
        let position = got.iter().position(|item| matches(expected, item).is_ok());
        got.remove(position.ok_or_else(|| format!("{expected} is missing"))?);
    }
    match got.first() {
        Some(item) => Err(format!("{item} is there")),
        None => Ok(()),
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Returns a value that matches the pattern, for the test to send as a server.
#[cfg(feature = "client")]
pub fn sample(expected: &Value) -> Value {
    match Pattern::of(expected) {
        Pattern::Any("number") => 7.into(),
        Pattern::Any("string") => "something".into(),
        Pattern::Prefix(prefix) => format!("{prefix}something").into(),
        Pattern::Unordered(all) => all.iter().map(sample).collect(),
        Pattern::Literal(Value::Array(items)) => items.iter().map(sample).collect(),
        Pattern::Literal(Value::Object(members)) => members
            .iter()
            .map(|(name, member)| (name.clone(), sample(member)))
            .collect(),
        Pattern::Literal(plain) => plain.clone(),
        Pattern::Any(_) | Pattern::Token(_) | Pattern::Length(_) => {
            panic!("a client can't be sent just this: {expected}")
        }
    }
}
