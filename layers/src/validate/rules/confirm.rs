//! Confirmation of the schema's issues by the parser. A type may accept more than its schema says: a field that takes
//! several types, an enum with `#[serde(other)]`, an array in place of a struct.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::probe::{Failure, Probe, without_issues};
use crate::error::{Issue, Segment};

/// Returns the issues without those that serde does not have. An issue at `own`, the path of serde's first error, is
/// confirmed by that. One that can't be decided stays.
pub(super) fn confirmed<T: DeserializeOwned>(
    issues: Vec<Issue>,
    value: &Value,
    own: &[Segment],
    probe: &mut Probe<T>,
) -> Vec<Issue> {
    if issues.iter().all(|issue| issue.path == own) {
        return issues;
    }
    let others = without_issues(value, &issues);
    issues
        .into_iter()
        .filter(|issue| issue.path == own || !is_refuted(issue, value, &others, probe))
        .collect()
}

/// Returns true if serde accepts the part of the payload that the issue is about. `others` is the payload without the
/// issues of its other parts.
fn is_refuted<T: DeserializeOwned>(
    issue: &Issue,
    value: &Value,
    others: &Value,
    probe: &mut Probe<T>,
) -> bool {
    let Some((Segment::Key(name), object)) = issue.path.split_last() else {
        return false;
    };
    let member = object
        .iter()
        .try_fold(value, |value, segment| match segment {
            Segment::Key(key) => value.get(key),
            Segment::Index(index) => value.get(index),
        })
        .and_then(|object| object.get(name));
    match (&*issue.code, member) {
        ("type" | "enum" | "const" | "union", Some(member)) => accepts(others, object, name, member, probe),
        // A type that takes null takes an absent member too: serde's default for one is none.
        ("required", None) => {
            !issue.message.contains("null") && accepts(others, object, name, &Value::Null, probe)
        }
        ("unknown_key", Some(member)) => reads(others, object, name, member, probe),
        _ => false,
    }
}

/// A value that few types accept.
fn poison() -> Value {
    json!({ "\u{0}": [{}] })
}

/// Returns true if serde accepts a member, and would not accept any value in its place. serde reads the member first,
/// so its failure is about a part behind the member.
fn accepts<T: DeserializeOwned>(
    value: &Value,
    object: &[Segment],
    name: &str,
    member: &Value,
    probe: &mut Probe<T>,
) -> bool {
    let Some(given) = probe.parse(value, object, &[(name, member)], &[]) else {
        return false;
    };
    if given
        .as_ref()
        .is_some_and(|failure| !is_behind(failure, object, name))
    {
        return false;
    }
    let other = probe.parse(value, object, &[(name, &poison())], &[]);
    other.is_some_and(|other| other != given)
}

/// Returns true if a failure is about a part that serde reads after the member: another member, or the absence of one.
fn is_behind(failure: &Failure, object: &[Segment], name: &str) -> bool {
    let mut path = object.to_vec();
    path.push(Segment::Key(name.to_owned()));
    let about = |what: &str| failure.sentence.strip_prefix(what);
    let elsewhere = !path.starts_with(&failure.path) && !failure.path.starts_with(&path);
    let absent = about("missing field `").is_some_and(|rest| rest != format!("{name}`"));
    let unknown = about("unknown field `").is_some_and(|rest| !rest.starts_with(&format!("{name}`")));
    elsewhere || (absent || unknown) && path.starts_with(&failure.path) && failure.path.len() < path.len()
}

/// Returns true if serde reads a member as one that it knows: another value in its place fails within it.
fn reads<T: DeserializeOwned>(
    value: &Value,
    object: &[Segment],
    name: &str,
    member: &Value,
    probe: &mut Probe<T>,
) -> bool {
    let Some(given) = probe.parse(value, object, &[(name, member)], &[]) else {
        return false;
    };
    let refused = |failure: &Failure| failure.sentence.starts_with(&format!("unknown field `{name}`"));
    if given.as_ref().is_some_and(refused) {
        return false;
    }
    let mut path = object.to_vec();
    path.push(Segment::Key(name.to_owned()));
    match probe.parse(value, object, &[(name, &poison())], &[]) {
        Some(Some(other)) => {
            Some(&other) != given.as_ref() && !refused(&other) && other.path.starts_with(&path)
        }
        _ => false,
    }
}
