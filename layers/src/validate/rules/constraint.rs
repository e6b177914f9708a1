//! Translation of garde's report to the names on the wire.

use garde::rules::{length::simple, range};
use serde_json::Value;

use super::{
    schema::Graph,
    walk,
    wire::{self, Part, Place},
    wording,
};
use crate::error::Issue;

/// Returns the issues of a report about `json`, at most [`walk::MOST`].
///
/// garde has the decision: a value that it accepts has no issue, whatever the schema says. An issue that both find has
/// the code and parameters of the schema.
pub(super) fn issues(graph: &Graph, report: &garde::Report, json: &[u8]) -> Vec<Issue> {
    // `None` if members that `T` ignores nest too deep.
    let value = serde_json::from_slice::<Value>(json).ok();
    let value = value.as_ref();
    // A parsed map may have another order than the payload, so garde's first issues may not be the walk's first. More
    // issues are collected than reported.
    let found = value.map_or_else(Vec::new, |value| {
        walk::issues(graph, value, json.len(), 10 * walk::MOST)
    });
    let mut found: Vec<Option<Issue>> = found.into_iter().map(Some).collect();
    let entries: Vec<GardeEntry<'_>> = report
        .iter()
        .take(walk::MOST)
        .map(|(path, error)| {
            let parts = wire::parts(path);
            GardeEntry {
                places: wire::places(graph, &parts, value),
                parts,
                sentence: error.message(),
            }
        })
        .collect();
    let mut issues: Vec<Option<Issue>> = vec![None; entries.len()];
    // The most certain match runs first for all entries, so that a guess takes no issue that belongs to another entry.
    for matches in [same_rule, same_place, renamed] {
        for (entry, issue) in entries
            .iter()
            .zip(&mut issues)
            .filter(|(_, issue)| issue.is_none())
        {
            let mut places = entry.places.iter();
            *issue = places.find_map(|place| {
                found
                    .iter_mut()
                    .find(|found| found.as_ref().is_some_and(|found| matches(entry, place, found)))?
                    .take()
            });
        }
    }
    entries
        .iter()
        .zip(issues)
        .map(|(entry, issue)| issue.unwrap_or_else(|| entry.to_issue()))
        .collect()
}

/// An entry of garde's report.
struct GardeEntry<'a> {
    parts: Vec<Part>,
    places: Vec<Place>,
    sentence: &'a str,
}

impl GardeEntry<'_> {
    /// Returns the issue with garde's sentence, for an entry that no issue of the schema matches.
    fn to_issue(&self) -> Issue {
        let place = self.places.first().cloned().unwrap_or_default();
        let code = match self.sentence {
            text if text.starts_with("not a valid email") => "email",
            text if text.starts_with("not a valid url") => "url",
            _ => "custom",
        };
        // The field was not found on the wire, so the sentence names the Rust field.
        let sentence = match self.parts.last() {
            Some(Part::Name(name)) if place.above => format!("{}: {}", wording::cut(name), self.sentence),
            _ => self.sentence.to_owned(),
        };
        Issue::new(place.path, code, wording::sentence(&sentence))
    }
}

fn same_rule(entry: &GardeEntry<'_>, place: &Place, issue: &Issue) -> bool {
    !place.above && place.path == issue.path && says(issue, entry.sentence)
}

/// Returns true for an issue about a pattern or a format at this place. Sentences can't be compared here, since garde's
/// may be translated or hold no more than the rule's name.
fn same_place(entry: &GardeEntry<'_>, place: &Place, issue: &Issue) -> bool {
    let textual = matches!(&*issue.code, "email" | "url" | "format" | "pattern");
    textual && !entry.sentence.is_empty() && !place.above && place.path == issue.path
}

/// Returns true for an issue of a renamed field: it is one level below the place, and has the same reason.
fn renamed(entry: &GardeEntry<'_>, place: &Place, issue: &Issue) -> bool {
    place.above
        && issue.path.len() == place.path.len() + 1
        && issue.path.starts_with(&place.path)
        && says(issue, entry.sentence)
}

/// Returns true if garde would report the schema's issue with `sentence`, in any language that it is set to.
fn says(issue: &Issue, sentence: &str) -> bool {
    let size = |name: &str| {
        issue
            .params
            .get(name)
            .and_then(Value::as_u64)
            .and_then(|n| usize::try_from(n).ok())
    };
    let rule = match &*issue.code {
        "min_length" | "min_items" => size("min").map(|min| simple::apply(&Length(0), (min, usize::MAX))),
        "max_length" | "max_items" => size("max").map(|max| simple::apply(&Length(usize::MAX), (0, max))),
        "minimum" => issue.params.get("min").map(|min| bound(min, true)),
        "maximum" => issue.params.get("max").map(|max| bound(max, false)),
        "pattern" => {
            let pattern = issue.params.get("pattern").and_then(Value::as_str);
            return pattern.is_some_and(|pattern| sentence.contains(pattern));
        }
        _ => None,
    };
    rule.is_some_and(|said| said.is_err_and(|error| error.message() == sentence))
}

/// Returns garde's error about a number below the minimum `limit` (if `lower` is true), or above the maximum. Its
/// sentence is in the language that garde is set to.
fn bound(limit: &Value, lower: bool) -> Result<(), garde::Error> {
    let whole = limit
        .as_i64()
        .map(i128::from)
        .or_else(|| limit.as_u64().map(i128::from));
    match (whole, lower) {
        (Some(min), true) => range::apply(&i128::MIN, (Some(min), None)),
        (Some(max), false) => range::apply(&i128::MAX, (None, Some(max))),
        (None, true) => range::apply(&f64::MIN, (limit.as_f64(), None)),
        (None, false) => range::apply(&f64::MAX, (None, limit.as_f64())),
    }
}

struct Length(usize);

impl simple::HasSimpleLength for Length {
    fn length(&self) -> usize {
        self.0
    }
}
