//! Mapping of the Rust field names that garde reports to names and places on the wire.

use serde_json::Value;

use super::{
    schema::{Additional, Graph, Id, Node},
    tag::{Choice, Tag},
    wording,
};
use crate::error::Segment;

/// A member's name and its schema.
type Member = (String, Id);

/// One component of garde's path.
#[derive(Debug, Clone)]
pub(super) enum Part {
    Name(String),
    Index(usize),
}

/// Place of a value on the wire.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    /// Path to the value, as far as it could be followed.
    pub(super) path: Vec<Segment>,
    /// Number of components that could not be followed, including those of flattened fields.
    pub(super) lost: usize,
    /// True if the last component could not be followed, so that the path ends above the value.
    pub(super) above: bool,
}

/// Maximum number of steps of the search for one path. A schema that needs more has a cycle.
const STEPS: u32 = 10_000;
/// Maximum number of places that are collected for one path.
const MOST: usize = 64;
/// Maximum depth of a path. serde_json refuses payloads that nest deeper.
const DEEPEST: usize = 128;

/// Returns the components of a garde path. Serializes the path, since garde exposes its components only through serde.
pub(super) fn parts(path: &garde::Path) -> Vec<Part> {
    let Ok(Value::Array(components)) = serde_json::to_value(path) else {
        return Vec::new();
    };
    let part = |component: Value| {
        let (kind, text) = (component.get(0)?.as_str()?, component.get(1)?.as_str()?);
        match kind {
            "key" => Some(Part::Name(text.strip_prefix("r#").unwrap_or(text).to_owned())),
            "index" => text.parse().ok().map(Part::Index),
            _ => None,
        }
    };
    components.into_iter().filter_map(part).collect()
}

/// Returns the places on the wire that `parts` may refer to, the most likely first. The result is never empty.
///
/// Fields are found by their schema's `x-field`, by their exact name, then by their name without case and separators,
/// which covers every `rename_all`. Components that have no name on the wire are skipped: newtypes, flattened structs,
/// the variants of enums.
pub(super) fn places(graph: &Graph, parts: &[Part], value: Option<&Value>) -> Vec<Place> {
    let mut search = Search {
        graph,
        found: Vec::new(),
        least: usize::MAX,
        path: Vec::new(),
        steps: STEPS,
    };
    search.go(0, parts, value, 0);
    let (mut found, least) = (search.found, search.least);
    found.retain(|place| place.lost == least);
    if found.is_empty() {
        found.push(Place {
            lost: parts.len(),
            above: true,
            ..Place::default()
        });
    }
    found
}

struct Search<'a> {
    graph: &'a Graph,
    found: Vec<Place>,
    /// Fewest components that a place has lost so far. The search does not follow paths that lose more.
    least: usize,
    path: Vec<Segment>,
    steps: u32,
}

impl Search<'_> {
    fn go(&mut self, id: Id, parts: &[Part], value: Option<&Value>, lost: usize) {
        self.steps = self.steps.saturating_sub(1);
        let enough = self.steps == 0 || self.found.len() >= MOST || self.path.len() > DEEPEST;
        if enough || lost > self.least {
            return;
        }
        let Some((part, rest)) = parts.split_first() else {
            return self.end(lost, false);
        };
        let nodes = self.nodes_for(id, value);
        let (around, within) = self.contents(&nodes, value);
        // A variant's name can't be a field's name, so it is tried before the fields. The member for contents may have
        // the name of a field beside the tag, so it is tried after them.
        let (first, last) = match part {
            Part::Name(_) => (around, within),
            Part::Index(_) => ([around, within].concat(), Vec::new()),
        };
        for (key, id) in first {
            self.step(
                wording::key(&key),
                id,
                parts,
                value.and_then(|value| value.get(&key)),
                lost,
            );
        }
        match part {
            Part::Name(name) => {
                if let Some((key, id)) = self.find(&nodes, name, value) {
                    let value = value.and_then(|value| value.get(&key));
                    self.step(wording::key(&key), id, rest, value, lost);
                }
            }
            Part::Index(index) => {
                let item = value.and_then(|value| value.get(index));
                if let Some(id) = self.item(&nodes, *index).filter(|_| item.is_some()) {
                    self.step(Segment::Index(*index), id, rest, item, lost);
                }
            }
        }
        for (key, id) in last {
            self.step(
                wording::key(&key),
                id,
                parts,
                value.and_then(|value| value.get(&key)),
                lost,
            );
        }
        // A newtype's only field has no step on the wire. A flattened field has none either.
        match part {
            Part::Index(0) => self.go(id, rest, value, lost),
            _ if rest.is_empty() => self.end(lost + 1, true),
            _ => {
                self.go(id, rest, value, lost + 1);
                self.renamed(&nodes, rest, value, lost + 1);
            }
        }
    }

    /// Searches in fields that were renamed on the wire. Every object and array is tried, and its members show if it
    /// fits.
    fn renamed(&mut self, nodes: &[Id], parts: &[Part], value: Option<&Value>, lost: usize) {
        let graph = self.graph;
        let Some(Value::Object(members)) = value else {
            return;
        };
        for (key, &id) in nodes.iter().flat_map(|id| &graph.node(*id).properties) {
            if let Some(value) = members
                .get(key)
                .filter(|value| value.is_object() || value.is_array())
            {
                self.step(wording::key(key), id, parts, Some(value), lost);
            }
        }
    }

    fn step(&mut self, segment: Segment, id: Id, parts: &[Part], value: Option<&Value>, lost: usize) {
        self.path.push(segment);
        self.go(id, parts, value, lost);
        self.path.pop();
    }

    fn end(&mut self, lost: usize, above: bool) {
        self.least = self.least.min(lost);
        self.found.push(Place {
            path: self.path.clone(),
            lost,
            above,
        });
    }

    /// Returns the node and all nodes that apply beside it for this value. For a tagged enum, this is the branch that
    /// the value names.
    fn nodes_for(&self, id: Id, value: Option<&Value>) -> Vec<Id> {
        let (mut ids, mut next) = (vec![id], 0);
        while let Some(&id) = ids.get(next) {
            let node = self.graph.node(id);
            let mut add = |id: Id| {
                if !ids.contains(&id) {
                    ids.push(id);
                }
            };
            node.all.iter().copied().for_each(&mut add);
            for union in &node.unions {
                match value.map(|value| union.tag.choose(value)) {
                    Some(Choice::Branches(branches)) => branches.into_iter().for_each(&mut add),
                    _ => union.branches.iter().copied().for_each(&mut add),
                }
            }
            next += 1;
        }
        ids
    }

    /// Returns the members that hold the content of an enum variant at these nodes: first those of external tags, then
    /// those beside adjacent tags.
    fn contents(&self, nodes: &[Id], value: Option<&Value>) -> (Vec<Member>, Vec<Member>) {
        let (mut around, mut within) = (Vec::new(), Vec::new());
        for union in nodes.iter().flat_map(|id| &self.graph.node(*id).unions) {
            for &id in union.branches.iter().filter(|id| nodes.contains(id)) {
                let (key, found) = match &union.tag {
                    Tag::Outside { keys, .. } => {
                        (keys.iter().find(|key| key.1 == id).map(|key| &key.0), &mut around)
                    }
                    Tag::Inside { content, .. } => (content.as_ref(), &mut within),
                    Tag::None => continue,
                };
                let there = |key: &&String| value.is_none_or(|value| value.get(key.as_str()).is_some());
                if let Some(key) = key.filter(there)
                    && let Some(&content) = self.graph.node(id).properties.get(key)
                {
                    found.push((key.clone(), content));
                }
            }
        }
        (around, within)
    }

    /// Finds the member for a Rust field name.
    fn find(&self, nodes: &[Id], name: &str, value: Option<&Value>) -> Option<Member> {
        let nodes = || nodes.iter().map(|id| self.graph.node(*id));
        let mut all = nodes().flat_map(|node| &node.properties);
        if let Some((key, id)) = all.find(|(_, id)| self.graph.node(**id).field.as_deref() == Some(name)) {
            return Some((key.clone(), *id));
        }
        if let Some(id) = nodes().find_map(|node| node.properties.get(name)) {
            return Some((name.to_owned(), *id));
        }
        let folded = fold(name);
        let mut all = nodes().flat_map(|node| &node.properties);
        if let Some((key, id)) = all.find(|(key, _)| fold(key) == folded) {
            return Some((key.clone(), *id));
        }
        // A map's keys are the same in Rust and on the wire.
        value?.get(name)?;
        nodes().find_map(map_of).map(|id| (name.to_owned(), id))
    }

    fn item(&self, nodes: &[Id], index: usize) -> Option<Id> {
        nodes.iter().map(|id| self.graph.node(*id)).find_map(|node| {
            match (node.prefix.get(index), node.items) {
                (Some(&id), _) | (None, Additional::Matching(id)) => Some(id),
                (None, _) => None,
            }
        })
    }
}

fn map_of(node: &Node) -> Option<Id> {
    match (node.additional, node.patterns.first()) {
        (Additional::Matching(id), _) => Some(id),
        (_, Some(named)) => Some(named.id),
        _ => None,
    }
}

/// Removes case and separators from a name. The rest is the same for all of serde's `rename_all` rules.
fn fold(name: &str) -> String {
    name.chars()
        .filter(|letter| !matches!(letter, '_' | '-'))
        .flat_map(char::to_lowercase)
        .collect()
}
