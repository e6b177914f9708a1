//! The issues that `jsonschema` finds about a single value, in the words of this crate.

use jsonschema::{PatternOptions, ValidationError, Validator, error::ValidationErrorKind as Kind};
use serde_json::{Map, Value};

use super::super::{format::Format, wording};
use crate::error::Issue;

/// Compiles a schema as the draft that schemars writes. Returns `None` if the standard does not allow it.
pub(super) fn validator(schema: &Value) -> Option<Validator> {
    jsonschema::draft202012::options()
        .offline()
        .should_validate_formats(true)
        .with_pattern_options(PatternOptions::regex())
        // Checked by garde's grammars, and a format that the standard does not have.
        .with_format("email", |text: &str| accepts("email", text))
        .with_format("uri", |text: &str| accepts("uri", text))
        .with_format("ip", |text: &str| accepts("ip", text))
        .build(schema)
        .ok()
}

fn accepts(format: &str, text: &str) -> bool {
    Format::named(format).unwrap().accepts(text)
}

/// Returns every issue of `value`, in the order of the keywords.
pub(super) fn issues(validator: &Validator, value: &Value) -> Vec<Issue> {
    validator
        .iter_errors(value)
        .map(|error| issue(&error, value))
        .collect()
}

fn issue(error: &ValidationError<'_>, value: &Value) -> Issue {
    let chars = || value.as_str().map_or(0, |text| text.chars().count());
    let items = || value.as_array().map_or(0, Vec::len);
    let members = || value.as_object().map_or(0, Map::len);
    let limit = |code: &'static str, param: &str, limit: Value, message: String| {
        Issue::new(Vec::new(), code, message).with(param, limit)
    };
    let size = |code, param, how, max: u64, noun, got| {
        limit(code, param, max.into(), wording::count(how, max, noun, got))
    };
    let number = |code, param, bound: &Value, words, got| {
        let message = format!("expected {words} {bound}, got a {got} number");
        limit(code, param, bound.clone(), message)
    };
    match error.kind() {
        Kind::MinLength { limit } => size("min_length", "min", "at least", *limit, "character", chars()),
        Kind::MaxLength { limit } => size("max_length", "max", "at most", *limit, "character", chars()),
        Kind::MinItems { limit } => size("min_items", "min", "at least", *limit, "item", items()),
        Kind::MaxItems { limit } => size("max_items", "max", "at most", *limit, "item", items()),
        Kind::MinProperties { limit } => {
            size("min_properties", "min", "at least", *limit, "member", members())
        }
        Kind::MaxProperties { limit } => {
            size("max_properties", "max", "at most", *limit, "member", members())
        }
        Kind::Minimum { limit } => number("minimum", "min", limit, "at least", "smaller"),
        Kind::Maximum { limit } => number("maximum", "max", limit, "at most", "greater"),
        Kind::ExclusiveMinimum { limit } => {
            number("exclusive_minimum", "min", limit, "more than", "smaller or equal")
        }
        Kind::ExclusiveMaximum { limit } => {
            number("exclusive_maximum", "max", limit, "less than", "greater or equal")
        }
        Kind::MultipleOf { multiple_of } => limit(
            "multiple_of",
            "factor",
            (*multiple_of).into(),
            format!("expected a multiple of {multiple_of}, got another number"),
        ),
        Kind::Pattern { pattern } => limit(
            "pattern",
            "pattern",
            pattern.as_str().into(),
            format!("expected text that matches {pattern}, got other text"),
        ),
        Kind::Format { format } => match format.as_str() {
            "email" => Issue::new(Vec::new(), "email", "expected an e-mail address, got other text"),
            "uri" => Issue::new(Vec::new(), "url", "expected an absolute URL, got other text"),
            other => limit(
                "format",
                "format",
                other.into(),
                format!("expected text in the format {other}, got other text"),
            ),
        },
        Kind::Enum { options } => wording::one_of(Vec::new(), options.as_array().unwrap(), "another value"),
        Kind::Constant { expected_value } => {
            let shown = wording::cut(&expected_value.to_string());
            let message = format!("expected {shown}, got another value");
            limit("const", "expected", expected_value.as_ref().clone(), message)
        }
        Kind::UniqueItems => Issue::new(
            Vec::new(),
            "unique_items",
            "expected no item twice, got at least one again",
        ),
        other => Issue::new(
            Vec::new(),
            other.keyword().to_owned(),
            wording::cut(&error.masked().to_string()),
        ),
    }
}
