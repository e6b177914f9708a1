//! The JSON Schema of an input, compiled once into a graph of nodes along which payloads are walked.
//!
//! Rules about the *shape* (members, items, references, branches) are read here, because a refusal has to follow the
//! one branch that the payload means. Rules about a *value* (lengths, bounds, patterns, formats, …) are the [`Leaf`]
//! of a node.
//!
//! Only keywords that schemars derives are read, and `extend`ed ones about single values. Others (`contains`, `if`,
//! `propertyNames`, …) constrain nothing: serde and garde decide in any case what is accepted.

use std::fmt;

use indexmap::IndexMap;
use serde_json::Value;

use super::{build::Builder, leaf::Leaf, pattern::Pattern, tag::Tag};
use crate::normalize::Step;

/// The place of a [`Node`] in its [`Graph`].
pub(super) type Id = usize;

/// A compiled schema. References are edges, so a recursive type is a cycle.
pub(super) struct Graph {
    nodes: Vec<Node>,
}

/// The compiled rules of one schema object.
#[derive(Default)]
pub(super) struct Node {
    /// `false`: nothing is accepted.
    pub(super) never: bool,
    /// The JSON types that are accepted; empty for all.
    pub(super) types: Vec<String>,
    /// The range of the Rust integer that `format` names.
    pub(super) bounds: Option<(i128, i128)>,
    /// The name of the Rust field, if the schema has it as `x-field`.
    pub(super) field: Option<String>,
    /// Steps that clean a text before it is checked.
    pub(super) steps: Vec<Step>,
    /// The texts that `const` or `enum` allows, if it allows only texts.
    pub(super) texts: Vec<String>,
    /// The rules about a value that are not about its shape.
    pub(super) leaf: Option<Leaf>,
    /// `$ref` and `allOf`: schemas that hold besides this one.
    pub(super) all: Vec<Id>,
    /// The schema that must not hold, and its text.
    pub(super) not: Option<(Id, String)>,
    /// `anyOf` and `oneOf`.
    pub(super) unions: Vec<Union>,
    pub(super) properties: IndexMap<String, Id>,
    pub(super) required: Vec<String>,
    pub(super) patterns: Vec<Named>,
    pub(super) additional: Additional,
    pub(super) unevaluated: Additional,
    pub(super) prefix: Vec<Id>,
    pub(super) items: Additional,
}

/// The members whose names match a pattern.
pub(super) struct Named {
    pub(super) names: Pattern,
    pub(super) id: Id,
}

/// Rule for members and items that are not named one by one.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Additional {
    /// The schema has no rule, so they are accepted.
    #[default]
    Unspecified,
    /// None are accepted.
    Forbidden,
    /// They are declared, and this is their schema.
    Matching(Id),
}

/// A choice between schemas.
pub(super) struct Union {
    /// The branches, without the one for `null`.
    pub(super) branches: Vec<Id>,
    /// True if `null` is a branch of its own.
    pub(super) null: bool,
    /// The part of a payload that names its branch.
    pub(super) tag: Tag,
}

impl Graph {
    /// Compiles a root schema. Node 0 is the root.
    pub(super) fn new(root: &Value) -> Self {
        let mut graph = Self {
            nodes: Builder::new(root).all(),
        };
        for id in 0..graph.nodes.len() {
            for i in 0..graph.nodes[id].unions.len() {
                graph.nodes[id].unions[i].tag = Tag::of(&graph, &graph.nodes[id].unions[i].branches);
            }
        }
        graph
    }

    pub(super) fn node(&self, id: Id) -> &Node {
        &self.nodes[id]
    }

    /// Returns the node, all that hold besides it, and every branch of theirs.
    pub(super) fn reach(&self, id: Id) -> Vec<&Node> {
        let (mut ids, mut next) = (vec![id], 0);
        while let Some(&id) = ids.get(next) {
            let node = self.node(id);
            for &other in node
                .all
                .iter()
                .chain(node.unions.iter().flat_map(|union| &union.branches))
            {
                if !ids.contains(&other) {
                    ids.push(other);
                }
            }
            next += 1;
        }
        ids.into_iter().map(|id| self.node(id)).collect()
    }

    /// Returns the JSON types that a value at this node may have, as far as the schema defines them.
    pub(super) fn types(&self, id: Id) -> Vec<&str> {
        let mut types: Vec<&str> = Vec::new();
        for node in self.reach(id) {
            for name in &node.types {
                if !types.contains(&name.as_str()) {
                    types.push(name);
                }
            }
            if node.unions.iter().any(|union| union.null) && !types.contains(&"null") {
                types.push("null");
            }
        }
        types
    }
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Graph")
            .field("nodes", &self.nodes.len())
            .finish_non_exhaustive()
    }
}
