//! Members that are given under an alias (`#[serde(alias)]`), which the schema does not name.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{
    probe::{Probe, without_issues},
    schema::Graph,
    walk::{self, Stray},
    wording,
};
use crate::error::{Issue, Segment};

/// Number of walks. Each finds the aliases within the members that the last one found.
const WALKS: usize = 8;

/// Aliases of a payload.
#[derive(Default)]
pub(super) struct Aliases(Vec<Alias>);

struct Alias {
    /// Path of the object, in the names of the schema.
    path: Vec<Segment>,
    given: String,
    declared: String,
}

/// Walks the payload along its schema. Renames the members of `value` that have an alias, so that they are checked too.
pub(super) fn walk<T: DeserializeOwned>(
    graph: &Graph,
    value: &mut Value,
    size: usize,
    probe: &mut Probe<T>,
) -> (Vec<Issue>, Aliases) {
    let mut aliases = Aliases::default();
    for _ in 1..WALKS {
        let (issues, strays) = walk::walk(graph, value, size, walk::MOST);
        let before = aliases.0.len();
        let mut probed = match strays.as_slice() {
            [] => return (issues, aliases),
            _ => without_issues(value, &issues),
        };
        for stray in &strays {
            let renamed = aliases.0.len();
            rename(stray, &probed, probe, &mut aliases.0);
            for alias in &aliases.0[renamed..] {
                alias.apply(value);
                alias.apply(&mut probed);
            }
        }
        if aliases.0.len() == before {
            return (issues, aliases);
        }
    }
    (walk::issues(graph, value, size, walk::MOST), aliases)
}

fn rename<T: DeserializeOwned>(stray: &Stray, value: &Value, probe: &mut Probe<T>, aliases: &mut Vec<Alias>) {
    let before = aliases.len();
    for given in &stray.undeclared {
        let declared = stray.absent.iter().find(|declared| {
            let taken = aliases[before..].iter().any(|alias| alias.declared == **declared);
            !taken && is_alias(value, stray, given, declared, probe)
        });
        if let Some(declared) = declared {
            aliases.push(Alias {
                path: stray.path.clone(),
                given: given.clone(),
                declared: declared.clone(),
            });
        }
    }
}

impl Alias {
    /// Renames the member.
    fn apply(&self, value: &mut Value) {
        let Some(members) = object_mut(value, &self.path) else {
            return;
        };
        if !members.contains_key(&self.declared)
            && let Some(member) = members.remove(&self.given)
        {
            members.insert(self.declared.clone(), member);
        }
    }
}

/// Returns true if serde reads both names as the same member: it then refuses an object that has both. It reads the
/// first value before that, so values of several types are tried.
fn is_alias<T: DeserializeOwned>(
    value: &Value,
    Stray { path, undeclared, .. }: &Stray,
    given: &str,
    declared: &str,
    probe: &mut Probe<T>,
) -> bool {
    if probe.is_exhausted() {
        return false;
    }
    let Some(member) = object(value, path).and_then(|members| members.get(given)) else {
        return false;
    };
    let duplicate = format!("duplicate field `{declared}`");
    let others = [
        Value::from(""),
        Value::from(0),
        Value::Bool(false),
        Value::Null,
        Value::Array(Vec::new()),
        Value::Object(Map::new()),
    ];
    let mut first_failure = None;
    for tried in std::iter::once(member).chain(&others) {
        let Some(Some(failure)) = probe.parse(value, path, &[(given, tried), (declared, tried)], undeclared)
        else {
            continue;
        };
        if failure.sentence == duplicate {
            return true;
        }
        // A value of another type makes no difference to a member that serde ignores.
        match &first_failure {
            None => first_failure = Some(failure),
            Some(first) if *first == failure => return false,
            Some(_) => {}
        }
    }
    // No value of these fits. The member's own failure is the same under both names.
    let mut others = undeclared.clone();
    others.push(declared.to_owned());
    let mut alone = |name: &str| {
        let failure = probe.parse(value, path, &[(name, member)], &others)??;
        let within = failure
            .path
            .strip_prefix(path.as_slice())?
            .strip_prefix(&[Segment::Key(name.to_owned())])?
            .to_vec();
        Some((within, failure.sentence))
    };
    let failure = alone(given);
    failure.is_some() && failure == alone(declared)
}

fn object<'v>(value: &'v Value, path: &[Segment]) -> Option<&'v Map<String, Value>> {
    path.iter()
        .try_fold(value, |value, segment| match segment {
            Segment::Key(key) => value.get(key),
            Segment::Index(index) => value.get(index),
        })?
        .as_object()
}

fn object_mut<'v>(value: &'v mut Value, path: &[Segment]) -> Option<&'v mut Map<String, Value>> {
    path.iter()
        .try_fold(value, |value, segment| match segment {
            Segment::Key(key) => value.get_mut(key),
            Segment::Index(index) => value.get_mut(index),
        })?
        .as_object_mut()
}

impl Aliases {
    /// Returns a path with the names that the payload has.
    pub(super) fn given(&self, mut path: Vec<Segment>) -> Vec<Segment> {
        // The innermost ones were found last, under the declared names of the outer ones.
        for alias in self.0.iter().rev() {
            rename_step(&mut path, &alias.path, &alias.declared, &alias.given);
        }
        path
    }

    /// Returns a path with the names that the schema has.
    pub(super) fn declared(&self, path: &[Segment]) -> Vec<Segment> {
        let mut path = path.to_vec();
        for alias in &self.0 {
            rename_step(&mut path, &alias.path, &alias.given, &alias.declared);
        }
        path
    }
}

fn rename_step(path: &mut [Segment], object: &[Segment], from: &str, to: &str) {
    let step = object.len();
    if path.starts_with(object) && path.get(step) == Some(&wording::key(from)) {
        path[step] = wording::key(to);
    }
}
