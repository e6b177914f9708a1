//! Selection of the branch of a union that a payload is meant for.

use serde_json::Value;

use super::{
    schema::{Id, Union},
    tag::Choice,
    walk::Walk,
    wording,
};
use crate::error::Issue;

impl<'a> Walk<'a> {
    /// Checks `value` against the branch that it is meant for.
    pub(super) fn union(&mut self, union: &'a Union, value: &'a Value) {
        if value.is_null() && union.null {
            return;
        }
        if let [only] = union.branches.as_slice() {
            return self.value(*only, value);
        }
        match union.tag.choose(value) {
            Choice::Branches(branches) => match branches.as_slice() {
                [only] => self.value(*only, value),
                several => self.attempt(several, false, value),
            },
            Choice::Unit => {}
            Choice::Untagged => self.attempt(&union.branches, union.null, value),
            Choice::NotAnObject => {
                let mut expected = self.expected(&union.branches, union.null);
                expected.retain(|name| *name != wording::type_of(value));
                self.report(wording::wrong_type(
                    self.path(),
                    &expected,
                    wording::type_of(value),
                ));
            }
            Choice::Missing(key) => self.report(wording::missing(self.path_to(&key), &["string"])),
            Choice::NotText(key) => {
                let actual = value.get(&key).map_or("null", wording::type_of);
                self.report(wording::wrong_type(self.path_to(&key), &["string"], actual));
            }
            Choice::Unknown { at, allowed } => {
                let path = at.map_or_else(|| self.path(), |key| self.path_to(&key));
                let allowed: Vec<Value> = allowed.into_iter().map(Value::from).collect();
                self.report(wording::one_of(path, &allowed, "another name"));
            }
        }
    }

    fn expected(&self, branches: &[Id], null: bool) -> Vec<&'a str> {
        let mut expected = Vec::new();
        for name in branches
            .iter()
            .flat_map(|id| self.graph.types(*id))
            .chain(null.then_some("null"))
        {
            if !expected.contains(&name) {
                expected.push(name);
            }
        }
        expected
    }

    /// Checks every branch of an untagged enum, and reports the issues of the closest one.
    fn attempt(&mut self, branches: &[Id], null: bool, value: &'a Value) {
        let before = std::mem::take(&mut self.issues);
        let mut results = Vec::with_capacity(branches.len());
        for &id in branches {
            self.value(id, value);
            let found = std::mem::take(&mut self.issues);
            let fits = found.is_empty();
            results.push((id, found));
            if fits {
                break;
            }
        }
        self.issues = before;
        if results.iter().any(|(_, found)| found.is_empty()) {
            return;
        }
        let here = self.path.len();
        let alien = |found: &[Issue]| {
            found
                .iter()
                .any(|issue| issue.code == "type" && issue.path.len() == here)
        };
        let close: Vec<&Vec<Issue>> = results
            .iter()
            .map(|(_, found)| found)
            .filter(|found| !alien(found))
            .collect();
        if close.is_empty() {
            let expected = self.expected(branches, null);
            self.report(wording::wrong_type(
                self.path(),
                &expected,
                wording::type_of(value),
            ));
            return;
        }
        let best = close.iter().map(|found| distance(found)).min();
        let mut nearest = close.into_iter().filter(|found| Some(distance(found)) == best);
        if let (Some(found), None) = (nearest.next(), nearest.next()) {
            found.iter().for_each(|issue| self.report(issue.clone()));
        } else {
            let message = format!("expected one of {} shapes, got something else", branches.len());
            self.report(Issue::new(self.path(), "union", message));
        }
    }
}

/// Returns the distance of a branch from the value, for comparison. It counts missing and unknown keys first, then the
/// depth of the outermost issue (deeper is closer), then the number of issues.
fn distance(issues: &[Issue]) -> (usize, std::cmp::Reverse<usize>, usize) {
    let keys = issues
        .iter()
        .filter(|issue| matches!(&*issue.code, "required" | "unknown_key"))
        .count();
    let first = issues
        .iter()
        .map(|issue| issue.path.len())
        .min()
        .unwrap_or_default();
    (keys, std::cmp::Reverse(first), issues.len())
}
