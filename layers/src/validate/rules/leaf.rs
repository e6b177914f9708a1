//! Rules of a schema about a single value, reported as issues.

use std::cmp::Ordering;

use serde_json::{Map, Number, Value};

use super::{
    equality::{equal, unique},
    format::Format,
    number::{compare, is_multiple},
    pattern::Pattern,
    wording,
};
use crate::error::{Issue, Segment};

/// The keywords that are checked, in the order in which their issues are reported.
const KEYWORDS: [&str; 16] = [
    "const",
    "enum",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "pattern",
    "format",
    "uniqueItems",
];

/// The rules of a schema about the value itself, without members, items and branches.
pub(super) struct Leaf(Vec<Rule>);

/// One keyword of JSON Schema with its argument. Each is about values of one type, and accepts all others.
enum Rule {
    Size(Measure, Side, u64),
    Bound(Side, Edge, Number),
    MultipleOf(f64),
    Pattern(Pattern),
    Format(String, Format),
    Enum(Vec<Value>),
    Const(Value),
    UniqueItems,
}

/// A size of a value.
#[derive(Clone, Copy)]
enum Measure {
    Characters,
    Items,
    Members,
}

#[derive(Clone, Copy)]
enum Side {
    Min,
    Max,
}

/// An inclusive limit accepts a value equal to it.
#[derive(Clone, Copy)]
enum Edge {
    Inclusive,
    Exclusive,
}

impl Leaf {
    /// Compiles the rules of a schema about the value itself. Returns `None` if it has none.
    ///
    /// Unknown keywords and formats constrain nothing. A keyword whose argument is not allowed, or is a pattern in a
    /// grammar of its own, does not disable the others.
    pub(super) fn new(schema: &Map<String, Value>) -> Option<Self> {
        // The formats of numbers name Rust types; their ranges are checked with the type.
        let of_number = schema.get("type").is_some_and(|kind| {
            let is = |name: &str| {
                kind == name || kind.as_array().is_some_and(|kinds| kinds.contains(&name.into()))
            };
            is("integer") || is("number")
        });
        let rules: Vec<Rule> = KEYWORDS
            .iter()
            .filter(|keyword| !(of_number && **keyword == "format"))
            .filter_map(|keyword| Rule::new(keyword, schema.get(*keyword)?))
            .collect();
        (!rules.is_empty()).then_some(Self(rules))
    }

    /// Passes every issue of `value` to `report`, at the path that `path` returns.
    pub(super) fn check(
        &self,
        value: &Value,
        path: impl Fn() -> Vec<Segment>,
        mut report: impl FnMut(Issue),
    ) {
        for rule in self.0.iter().filter(|rule| !rule.accepts(value)) {
            report(rule.issue(path(), value));
        }
    }
}

impl Rule {
    fn new(keyword: &str, argument: &Value) -> Option<Self> {
        use self::{Edge::*, Measure::*, Side::*};
        let size = |measure, side| Some(Self::Size(measure, side, size(argument)?));
        let bound = |side, edge| Some(Self::Bound(side, edge, argument.as_number()?.clone()));
        match keyword {
            "minLength" => size(Characters, Min),
            "maxLength" => size(Characters, Max),
            "minItems" => size(Items, Min),
            "maxItems" => size(Items, Max),
            "minProperties" => size(Members, Min),
            "maxProperties" => size(Members, Max),
            "minimum" => bound(Min, Inclusive),
            "maximum" => bound(Max, Inclusive),
            "exclusiveMinimum" => bound(Min, Exclusive),
            "exclusiveMaximum" => bound(Max, Exclusive),
            "multipleOf" => argument
                .as_f64()
                .filter(|factor| *factor > 0.0)
                .map(Self::MultipleOf),
            "pattern" => Pattern::new(argument.as_str()?).map(Self::Pattern),
            "format" => {
                let name = argument.as_str()?;
                Some(Self::Format(name.to_owned(), Format::named(name)?))
            }
            "enum" => argument.as_array().cloned().map(Self::Enum),
            "const" => Some(Self::Const(argument.clone())),
            "uniqueItems" => (*argument == Value::Bool(true)).then_some(Self::UniqueItems),
            _ => None,
        }
    }

    fn accepts(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Size(measure, side, limit), value) => {
                let size = measure.of(value).map(|size| size as u64);
                size.is_none_or(|size| side.allows(size.cmp(limit), Edge::Inclusive))
            }
            (Self::Bound(side, edge, limit), Value::Number(number)) => {
                compare(number, limit).is_none_or(|order| side.allows(order, *edge))
            }
            (Self::MultipleOf(factor), Value::Number(number)) => is_multiple(number, *factor),
            (Self::Pattern(pattern), Value::String(text)) => pattern.matches(text),
            (Self::Format(_, format), Value::String(text)) => format.accepts(text),
            (Self::Enum(allowed), value) => allowed.iter().any(|other| equal(value, other)),
            (Self::Const(expected), value) => equal(value, expected),
            (Self::UniqueItems, Value::Array(items)) => unique(items),
            _ => true,
        }
    }

    /// Returns the issue of a value that is not accepted.
    fn issue(&self, path: Vec<Segment>, value: &Value) -> Issue {
        match self {
            Self::Size(measure, side, limit) => {
                let got = measure.of(value).unwrap_or_default();
                let message = wording::count(side.words(Edge::Inclusive), *limit, measure.noun(), got);
                Issue::new(path, measure.code(*side), message).with(side.param(), *limit)
            }
            Self::Bound(side, edge, limit) => {
                let (words, got) = (side.words(*edge), side.beyond(*edge));
                let message = format!("expected {words} {limit}, got a {got} number");
                Issue::new(path, side.code(*edge), message).with(side.param(), limit.clone())
            }
            Self::MultipleOf(factor) => Issue::new(
                path,
                "multiple_of",
                format!("expected a multiple of {factor}, got another number"),
            )
            .with("factor", *factor),
            Self::Pattern(Pattern { text, .. }) => Issue::new(
                path,
                "pattern",
                format!("expected text that matches {text}, got other text"),
            )
            .with("pattern", text.as_str()),
            Self::Format(name, _) => match name.as_str() {
                "email" => Issue::new(path, "email", "expected an e-mail address, got other text"),
                "uri" => Issue::new(path, "url", "expected an absolute URL, got other text"),
                name => Issue::new(
                    path,
                    "format",
                    format!("expected text in the format {name}, got other text"),
                )
                .with("format", name),
            },
            Self::Enum(allowed) => wording::one_of(path, allowed, "another value"),
            Self::Const(expected) => {
                let shown = wording::cut(&expected.to_string());
                Issue::new(path, "const", format!("expected {shown}, got another value"))
                    .with("expected", expected.clone())
            }
            Self::UniqueItems => Issue::new(
                path,
                "unique_items",
                "expected no item twice, got at least one again",
            ),
        }
    }
}

/// Reads a limit of a size. A limit that no size reaches is as good as any other such limit.
fn size(argument: &Value) -> Option<u64> {
    let float = || {
        argument
            .as_f64()
            .filter(|limit| *limit >= 0.0 && limit.fract() == 0.0)
            .map(|limit| limit as u64)
    };
    argument.as_u64().or_else(float)
}

impl Measure {
    /// Returns the size of a value, if it is of the type that has one.
    fn of(self, value: &Value) -> Option<usize> {
        match (self, value) {
            (Self::Characters, Value::String(text)) => Some(text.chars().count()),
            (Self::Items, Value::Array(items)) => Some(items.len()),
            (Self::Members, Value::Object(members)) => Some(members.len()),
            _ => None,
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Self::Characters => "character",
            Self::Items => "item",
            Self::Members => "member",
        }
    }

    fn code(self, side: Side) -> &'static str {
        match (self, side) {
            (Self::Characters, Side::Min) => "min_length",
            (Self::Characters, Side::Max) => "max_length",
            (Self::Items, Side::Min) => "min_items",
            (Self::Items, Side::Max) => "max_items",
            (Self::Members, Side::Min) => "min_properties",
            (Self::Members, Side::Max) => "max_properties",
        }
    }
}

impl Side {
    /// Returns true if the limit allows a value that compares to it like this.
    fn allows(self, order: Ordering, edge: Edge) -> bool {
        match (self, edge) {
            (Self::Min, Edge::Inclusive) => order.is_ge(),
            (Self::Min, Edge::Exclusive) => order.is_gt(),
            (Self::Max, Edge::Inclusive) => order.is_le(),
            (Self::Max, Edge::Exclusive) => order.is_lt(),
        }
    }

    fn param(self) -> &'static str {
        match self {
            Self::Min => "min",
            Self::Max => "max",
        }
    }

    fn code(self, edge: Edge) -> &'static str {
        match (self, edge) {
            (Self::Min, Edge::Inclusive) => "minimum",
            (Self::Min, Edge::Exclusive) => "exclusive_minimum",
            (Self::Max, Edge::Inclusive) => "maximum",
            (Self::Max, Edge::Exclusive) => "exclusive_maximum",
        }
    }

    fn words(self, edge: Edge) -> &'static str {
        match (self, edge) {
            (Self::Min, Edge::Inclusive) => "at least",
            (Self::Min, Edge::Exclusive) => "more than",
            (Self::Max, Edge::Inclusive) => "at most",
            (Self::Max, Edge::Exclusive) => "less than",
        }
    }

    /// Returns the words for a number beyond the limit.
    fn beyond(self, edge: Edge) -> &'static str {
        match (self, edge) {
            (Self::Min, Edge::Inclusive) => "smaller",
            (Self::Min, Edge::Exclusive) => "smaller or equal",
            (Self::Max, Edge::Inclusive) => "greater",
            (Self::Max, Edge::Exclusive) => "greater or equal",
        }
    }
}
