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
    let place = Place { object, name };
    let mut parse = |member: &Value| probe.parse(others, object, &[(name, member)], &[]);
    match (&*issue.code, member) {
        ("type" | "enum" | "const" | "union", Some(member)) => place.accepts(member, &mut parse),
        // A type that takes null takes an absent member too: serde's default for one is none.
        ("required", None) => !issue.message.contains("null") && place.accepts(&Value::Null, &mut parse),
        ("unknown_key", Some(member)) => place.reads(member, &mut parse),
        _ => false,
    }
}

/// A value that few types accept.
fn poison() -> Value {
    json!({ "\u{0}": [{}] })
}

/// The member that an issue is about.
struct Place<'a> {
    object: &'a [Segment],
    name: &'a str,
}

/// Parses the payload with a value for the member. Returns the result of a [`Probe`].
type Parse<'a> = dyn FnMut(&Value) -> Option<Option<Failure>> + 'a;

impl Place<'_> {
    /// Returns true if serde accepts a member, and would not accept any value in its place. serde reads the member first,
    /// so its failure is about a part behind the member.
    fn accepts(&self, member: &Value, parse: &mut Parse<'_>) -> bool {
        differs_from_poison(member, parse, |failure| !self.is_behind(failure)).is_some()
    }

    /// Returns true if serde reads a member as one that it knows: another value in its place fails within it.
    fn reads(&self, member: &Value, parse: &mut Parse<'_>) -> bool {
        let refused = |failure: &Failure| {
            failure
                .sentence
                .starts_with(&format!("unknown field `{}`", self.name))
        };
        let poisoned = differs_from_poison(member, parse, refused).flatten();
        poisoned.is_some_and(|other| !refused(&other) && other.path.starts_with(&self.path()))
    }

    /// Returns true if a failure is about a part that serde reads after the member: another member, or the absence of
    /// one.
    fn is_behind(&self, failure: &Failure) -> bool {
        let (path, name) = (self.path(), self.name);
        let about = |what: &str| failure.sentence.strip_prefix(what);
        let elsewhere = !path.starts_with(&failure.path) && !failure.path.starts_with(&path);
        let absent = about("missing field `").is_some_and(|rest| rest != format!("{name}`"));
        let unknown = about("unknown field `").is_some_and(|rest| !rest.starts_with(&format!("{name}`")));
        elsewhere || (absent || unknown) && path.starts_with(&failure.path) && failure.path.len() < path.len()
    }

    fn path(&self) -> Vec<Segment> {
        let mut path = self.object.to_vec();
        path.push(Segment::Key(self.name.to_owned()));
        path
    }
}

/// Parses the payload with the member, and with a value that few types accept in its place. Returns the result of the
/// latter. Returns none if the member is refused, by a failure that `refuses` it, if both have the same result, or if
/// too much was parsed before.
fn differs_from_poison(
    member: &Value,
    parse: &mut Parse<'_>,
    refuses: impl Fn(&Failure) -> bool,
) -> Option<Option<Failure>> {
    let given = parse(member)?;
    if given.as_ref().is_some_and(refuses) {
        return None;
    }
    let poisoned = parse(&poison())?;
    (poisoned != given).then_some(poisoned)
}
