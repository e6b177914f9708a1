//! Walk of a payload along its schema, which collects every issue.

use std::{borrow::Cow, collections::HashSet};

use serde_json::{Map, Value};

use super::{
    number::{Range, number_of, out_of},
    schema::{Additional, Graph, Id, Node},
    tag::Choice,
    wording,
};
use crate::{
    error::{Issue, Segment},
    normalize,
};

/// Maximum number of issues that are reported for one payload.
pub(super) const MOST: usize = 100;

/// Maximum number of undeclared members of an object that are looked at as aliases.
const MOST_ALIASES: usize = 64;

/// Returns the issues of `value`, at most `most`. `size` is the payload's length in bytes, and bounds the number of
/// steps.
pub(super) fn issues(graph: &Graph, value: &Value, size: usize, most: usize) -> Vec<Issue> {
    walk(graph, value, size, most).0
}

/// An object that lacks members which the schema requires, or has members which it does not declare.
pub(super) struct Stray {
    /// Path of the object, with whole names.
    pub(super) path: Vec<Segment>,
    /// Declared names that it does not have.
    pub(super) absent: Vec<String>,
    /// Names that it has and the schema does not declare.
    pub(super) undeclared: Vec<String>,
}

/// Returns the issues of `value` like [`issues`], and the objects whose members do not have the declared names.
pub(super) fn walk(graph: &Graph, value: &Value, size: usize, most: usize) -> (Vec<Issue>, Vec<Stray>) {
    // A payload has at most one value for every two bytes, and each value is checked at a few nodes. Without this
    // bound, a recursive untagged enum would take time exponential in its depth.
    let steps = 10_000 + 8 * size;
    let mut walk = Walk {
        graph,
        path: Vec::new(),
        issues: Vec::new(),
        strays: Vec::new(),
        most,
        steps,
    };
    walk.value(0, value);
    (walk.issues, walk.strays)
}

#[derive(Clone, Copy)]
pub(super) enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

/// State of one walk.
pub(super) struct Walk<'a> {
    pub(super) graph: &'a Graph,
    pub(super) path: Vec<Step<'a>>,
    pub(super) issues: Vec<Issue>,
    strays: Vec<Stray>,
    most: usize,
    /// Remaining number of node checks.
    steps: usize,
}

impl<'a> Walk<'a> {
    fn done(&self) -> bool {
        self.issues.len() >= self.most || self.steps == 0
    }

    pub(super) fn path(&self) -> Vec<Segment> {
        self.path
            .iter()
            .map(|step| match *step {
                Step::Key(name) => wording::key(name),
                Step::Index(index) => Segment::Index(index),
            })
            .collect()
    }

    pub(super) fn path_to(&self, key: &str) -> Vec<Segment> {
        let mut path = self.path();
        path.push(wording::key(key));
        path
    }

    pub(super) fn report(&mut self, issue: Issue) {
        // Schemas that apply to the same value find the same issue, shortly after each other.
        let known = self
            .issues
            .iter()
            .rev()
            .take(MOST)
            .any(|other| other.path == issue.path && other.code == issue.code);
        if !known && self.issues.len() < self.most {
            self.issues.push(issue);
        }
    }

    fn at(&mut self, step: Step<'a>, id: Id, value: &'a Value) {
        self.path.push(step);
        self.value(id, value);
        self.path.pop();
    }

    pub(super) fn value(&mut self, id: Id, value: &'a Value) {
        self.steps = self.steps.saturating_sub(1);
        if self.done() {
            return;
        }
        let node = self.graph.node(id);
        if node.never {
            self.report(Issue::new(self.path(), "unknown_key", "expected nothing here"));
            return;
        }
        if !self.fits(node, value) {
            return;
        }
        if let Some(leaf) = &node.leaf {
            let cleaned = cleaned(node, value);
            let mut found = Vec::new();
            leaf.check(&cleaned, || self.path(), |issue| found.push(issue));
            found.into_iter().for_each(|issue| self.report(issue));
        }
        if let Some((id, text)) = &node.not {
            self.refused_by(*id, text, value);
        }
        for &other in &node.all {
            self.value(other, value);
        }
        for union in &node.unions {
            self.union(union, value);
        }
        match value {
            Value::Object(members) => self.members(id, node, members, value),
            Value::Array(items) => self.items(node, items),
            _ => {}
        }
    }

    /// Reports a value that fits a schema which must not hold.
    fn refused_by(&mut self, id: Id, text: &str, value: &'a Value) {
        let before = std::mem::take(&mut self.issues);
        self.value(id, value);
        let fits = std::mem::replace(&mut self.issues, before).is_empty();
        // A walk that ran out of steps has not shown that the value fits.
        if fits && self.steps > 0 {
            let message = wording::cut(&format!("{text} is not allowed for value"));
            self.report(Issue::new(self.path(), "not", message));
        }
    }

    /// Returns true if the value has an accepted type and, for an integer, is in the range of the Rust type. Reports an
    /// issue otherwise.
    fn fits(&mut self, node: &Node, value: &Value) -> bool {
        let is = |name: &str| node.types.iter().any(|kind| kind == name);
        if node.types.is_empty() || is(wording::type_of(value)) {
            return true;
        }
        if let (Value::Number(number), true) = (value, is("integer")) {
            match out_of(number, node.bounds) {
                Range::Within => return true,
                Range::NoInteger => {}
                Range::Below(min) => {
                    let message = format!("expected at least {min}, got a smaller number");
                    self.report(Issue::new(self.path(), "minimum", message).with("min", number_of(min)));
                    return false;
                }
                Range::Above(max) => {
                    let message = format!("expected at most {max}, got a greater number");
                    self.report(Issue::new(self.path(), "maximum", message).with("max", number_of(max)));
                    return false;
                }
            }
        }
        let expected: Vec<&str> = node.types.iter().map(String::as_str).collect();
        self.report(wording::wrong_type(
            self.path(),
            &expected,
            wording::type_of(value),
        ));
        false
    }

    /// Notes an object that lacks a required member, or has one that is not declared.
    fn stray(&mut self, node: &Node, members: &Map<String, Value>) {
        if self.strays.len() >= MOST {
            return;
        }
        let path = self.path.iter().map(|step| match *step {
            Step::Key(name) => Segment::Key(name.to_owned()),
            Step::Index(index) => Segment::Index(index),
        });
        let absent = node.properties.keys().filter(|name| !members.contains_key(*name));
        let undeclared = members.keys().filter(|name| !node.properties.contains_key(*name));
        let stray = Stray {
            path: path.collect(),
            absent: absent.cloned().collect(),
            undeclared: undeclared.cloned().collect(),
        };
        // Names of more members than a struct has are no aliases.
        if !stray.absent.is_empty() && (1..=MOST_ALIASES).contains(&stray.undeclared.len()) {
            self.strays.push(stray);
        }
    }

    fn members(&mut self, id: Id, node: &'a Node, members: &'a Map<String, Value>, value: &'a Value) {
        for (name, &id) in &node.properties {
            if let Some((name, value)) = members.get_key_value(name) {
                self.at(Step::Key(name), id, value);
            }
        }
        for name in node.required.iter().filter(|name| !members.contains_key(*name)) {
            let types = node
                .properties
                .get(name)
                .map_or_else(Vec::new, |id| self.graph.types(*id));
            self.report(wording::missing(self.path_to(name), &types));
        }
        if node.additional == Additional::Forbidden
            || node.unevaluated == Additional::Forbidden
            || node.required.iter().any(|name| !members.contains_key(name))
        {
            self.stray(node, members);
        }
        if node.patterns.is_empty()
            && node.additional == Additional::Unspecified
            && node.unevaluated == Additional::Unspecified
        {
            return;
        }
        let mut declared = HashSet::new();
        let open = node.unevaluated != Additional::Unspecified && self.declared(id, value, &mut declared, 0);
        for (name, value) in members
            .iter()
            .filter(|(name, _)| !node.properties.contains_key(*name))
        {
            if self.done() {
                return;
            }
            let mut matched = false;
            for named in node.patterns.iter().filter(|named| named.names.matches(name)) {
                matched = true;
                self.at(Step::Key(name), named.id, value);
            }
            let rest = match (matched, node.additional) {
                (true, _) => continue,
                (false, Additional::Unspecified) if open || declared.contains(name.as_str()) => continue,
                (false, Additional::Unspecified) => node.unevaluated,
                (false, rest) => rest,
            };
            match rest {
                Additional::Unspecified => {}
                Additional::Matching(id) => self.at(Step::Key(name), id, value),
                Additional::Forbidden => {
                    let mut names: Vec<&str> = node.properties.keys().map(String::as_str).collect();
                    names.extend(
                        declared
                            .iter()
                            .filter(|name| !node.properties.contains_key(**name)),
                    );
                    names.sort_unstable();
                    names.extend(node.patterns.iter().map(|named| named.names.text.as_str()));
                    self.report(wording::unknown_key(self.path_to(name), &names));
                }
            }
        }
    }

    /// Collects the names that a node, and the schemas that apply beside it, declare for this value. Returns true if
    /// one of those schemas accepts other names too.
    fn declared(&self, id: Id, value: &Value, names: &mut HashSet<&'a str>, depth: usize) -> bool {
        let node = self.graph.node(id);
        names.extend(node.properties.keys().map(String::as_str));
        let mut open =
            depth > 0 && (matches!(node.additional, Additional::Matching(_)) || !node.patterns.is_empty());
        // References can form a cycle that never consumes the value.
        if depth > 32 {
            return true;
        }
        for &other in &node.all {
            open |= self.declared(other, value, names, depth + 1);
        }
        for union in &node.unions {
            let branches = match union.tag.choose(value) {
                Choice::Branches(branches) => branches,
                _ => union.branches.clone(),
            };
            for id in branches {
                open |= self.declared(id, value, names, depth + 1);
            }
        }
        open
    }

    fn items(&mut self, node: &'a Node, items: &'a [Value]) {
        for (index, item) in items.iter().enumerate() {
            if self.done() {
                return;
            }
            match (node.prefix.get(index), node.items) {
                (Some(&id), _) | (None, Additional::Matching(id)) => self.at(Step::Index(index), id, item),
                (None, Additional::Forbidden) => {
                    let mut path = self.path();
                    path.push(Segment::Index(index));
                    self.report(
                        Issue::new(path, "max_items", "expected no item here").with("max", node.prefix.len()),
                    );
                }
                (None, Additional::Unspecified) => return,
            }
        }
    }
}

fn cleaned<'v>(node: &Node, value: &'v Value) -> Cow<'v, Value> {
    match value {
        Value::String(text) if !node.steps.is_empty() => {
            Cow::Owned(Value::String(normalize::apply(&node.steps, text.clone())))
        }
        _ => Cow::Borrowed(value),
    }
}
