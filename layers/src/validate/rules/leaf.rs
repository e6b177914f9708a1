//! Rules of a schema about a single value, checked by `jsonschema` and reported as issues.

use std::net::IpAddr;

use garde::rules::{email::parse_email, url::Url};
use jsonschema::{PatternOptions, ValidationError, ValidationOptions, Validator, error::ValidationErrorKind};
use serde_json::{Map, Value};

use super::say;
use crate::error::{Issue, Segment};

/// Keywords that [`Graph`](super::schema::Graph) reads itself, and those that do not constrain a value.
const NOT_HERE: [&str; 27] = [
    "$ref",
    "$defs",
    "$schema",
    "$id",
    "$comment",
    "allOf",
    "anyOf",
    "oneOf",
    "type",
    "properties",
    "required",
    "patternProperties",
    "additionalProperties",
    "unevaluatedProperties",
    "items",
    "prefixItems",
    "unevaluatedItems",
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "discriminator",
    "x-field",
    "x-normalize",
];

/// A compiled schema without members, items and branches.
pub(super) struct Leaf(Validator);

impl Leaf {
    /// Compiles the rules of a schema about the value itself. Returns `None` if it has none.
    pub(super) fn new(schema: &Map<String, Value>, root: &Value) -> Option<Self> {
        let mut own: Map<String, Value> = schema
            .iter()
            .filter(|(keyword, value)| says_something(keyword, value, schema))
            .map(|(keyword, value)| (keyword.clone(), value.clone()))
            .collect();
        if own.is_empty() {
            return None;
        }
        // `not`, `if` and `contains` hold whole schemas, which may point into the document's definitions.
        let whole = ["not", "if", "contains", "propertyNames", "dependentSchemas"];
        if let Some(definitions) = root
            .get("$defs")
            .filter(|_| whole.iter().any(|key| own.contains_key(*key)))
        {
            own.insert("$defs".to_owned(), definitions.clone());
        }
        if let Ok(validator) = options().build(&Value::Object(own.clone())) {
            return Some(Self(validator));
        }
        // A keyword that cannot be compiled (a pattern in a grammar of its own) must not disable the others.
        own.retain(|keyword, value| {
            let alone = Map::from_iter([(keyword.clone(), value.clone())]);
            options().build(&Value::Object(alone)).is_ok()
        });
        options().build(&Value::Object(own)).ok().map(Self)
    }

    /// Compiles a pattern for the names of members.
    pub(super) fn pattern(pattern: &str) -> Option<Self> {
        options()
            .build(&serde_json::json!({ "pattern": pattern }))
            .ok()
            .map(Self)
    }

    pub(super) fn accepts(&self, value: &Value) -> bool {
        self.0.is_valid(value)
    }

    /// Passes every issue of `value` to `report`, at the path that `path` returns.
    pub(super) fn check(
        &self,
        value: &Value,
        path: impl Fn() -> Vec<Segment>,
        mut report: impl FnMut(Issue),
    ) {
        for error in self.0.iter_errors(value) {
            report(issue(path(), &error, value));
        }
    }
}

fn says_something(keyword: &str, value: &Value, schema: &Map<String, Value>) -> bool {
    // The formats of numbers name Rust types; their ranges are checked with the type.
    let of_number = keyword == "format"
        && schema.get("type").is_some_and(|kind| {
            let is = |name: &str| {
                kind == name || kind.as_array().is_some_and(|kinds| kinds.contains(&name.into()))
            };
            is("integer") || is("number")
        });
    !NOT_HERE.contains(&keyword) && !of_number && !value.is_null() || keyword == "const"
}

fn options() -> ValidationOptions<'static> {
    // E-mail addresses and URLs are checked by garde's grammars, so that both passes agree. The regex engine is the
    // linear one: matching takes time proportional to the text.
    jsonschema::draft202012::options()
        .offline()
        .should_validate_formats(true)
        .with_pattern_options(PatternOptions::regex())
        .with_format("email", |text: &str| parse_email(text).is_ok())
        .with_format("uri", |text: &str| text.validate_url().is_ok())
        .with_format("ip", |text: &str| text.parse::<IpAddr>().is_ok())
}

fn issue(path: Vec<Segment>, error: &ValidationError<'_>, value: &Value) -> Issue {
    use ValidationErrorKind as Kind;
    let chars = || value.as_str().map_or(0, |text| text.chars().count());
    let items = || value.as_array().map_or(0, Vec::len);
    let members = || value.as_object().map_or(0, Map::len);
    let limit = |code: &'static str, param: &str, limit: Value, message: String| {
        Issue::new(path.clone(), code, message).with(param, limit)
    };
    let number = |code: &'static str, param: &str, bound: &Value, words: &str, got: &str| {
        limit(
            code,
            param,
            bound.clone(),
            format!("expected {words} {bound}, got a {got} number"),
        )
    };
    match error.kind() {
        Kind::MinLength { limit: min } => limit(
            "min_length",
            "min",
            (*min).into(),
            say::count("at least", *min, "character", chars()),
        ),
        Kind::MaxLength { limit: max } => limit(
            "max_length",
            "max",
            (*max).into(),
            say::count("at most", *max, "character", chars()),
        ),
        Kind::MinItems { limit: min } => limit(
            "min_items",
            "min",
            (*min).into(),
            say::count("at least", *min, "item", items()),
        ),
        Kind::MaxItems { limit: max } => limit(
            "max_items",
            "max",
            (*max).into(),
            say::count("at most", *max, "item", items()),
        ),
        Kind::MinProperties { limit: min } => limit(
            "min_properties",
            "min",
            (*min).into(),
            say::count("at least", *min, "member", members()),
        ),
        Kind::MaxProperties { limit: max } => limit(
            "max_properties",
            "max",
            (*max).into(),
            say::count("at most", *max, "member", members()),
        ),
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
            "email" => Issue::new(path, "email", "expected an e-mail address, got other text"),
            "uri" => Issue::new(path, "url", "expected an absolute URL, got other text"),
            other => limit(
                "format",
                "format",
                other.into(),
                format!("expected text in the format {other}, got other text"),
            ),
        },
        Kind::Enum { options } => say::one_of(
            path,
            options.as_array().map_or(&[], Vec::as_slice),
            "another value",
        ),
        Kind::Constant { expected_value } => {
            let shown = say::cut(&expected_value.to_string());
            limit(
                "const",
                "expected",
                expected_value.as_ref().clone(),
                format!("expected {shown}, got another value"),
            )
        }
        Kind::UniqueItems => Issue::new(
            path,
            "unique_items",
            "expected no item twice, got at least one again",
        ),
        other => Issue::new(
            path,
            say::snake(other.keyword()),
            say::cut(&error.masked().to_string()),
        ),
    }
}
