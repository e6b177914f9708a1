//! Tags: the part of a payload that names the branch of an enum.

use serde_json::{Map, Value};

use super::schema::{Graph, Id};

/// Serde's representation of an enum, derived from its branches.
pub(super) enum Tag {
    /// Untagged: nothing names the branch.
    None,
    /// Externally tagged: the variant's name is the only key, or the whole text for a unit variant.
    Outside {
        /// Variants without content.
        units: Vec<String>,
        /// Variants with content, and their branch.
        keys: Vec<(String, Id)>,
    },
    /// Internally or adjacently tagged: a member names the variant.
    Inside {
        /// Name of that member.
        key: String,
        /// Values of that member, and their branch.
        variants: Vec<(String, Id)>,
        /// Name of the member that holds the content, if the enum may be adjacently tagged.
        content: Option<String>,
    },
}

/// Result of reading a payload's tag.
pub(super) enum Choice {
    /// These branches have the tag. There is almost always one.
    Branches(Vec<Id>),
    /// The value names a unit variant, which has no content to check.
    Unit,
    /// The enum has no tag.
    Untagged,
    /// The value is not an object, and only an object can name the variant.
    NotAnObject,
    /// The member with the tag is missing.
    Missing(String),
    /// The member with the tag is not a text.
    NotText(String),
    /// No variant has that name. `at` is the member with the tag, or none if the value itself is the tag.
    Unknown {
        at: Option<String>,
        allowed: Vec<String>,
    },
}

impl Tag {
    pub(super) fn of(graph: &Graph, branches: &[Id]) -> Self {
        if branches.len() < 2 {
            return Self::None;
        }
        inside(graph, branches)
            .or_else(|| outside(graph, branches))
            .unwrap_or(Self::None)
    }

    /// Finds the branch that `value` is meant for, by its tag.
    pub(super) fn choose(&self, value: &Value) -> Choice {
        match (self, value) {
            (Self::None, _) => Choice::Untagged,
            (Self::Inside { key, variants, .. }, Value::Object(members)) => among(key, variants, members),
            (Self::Outside { units, keys }, Value::String(text)) => {
                if units.iter().any(|unit| unit == text) {
                    Choice::Unit
                } else if units.is_empty() || keys.iter().any(|(key, _)| key == text) {
                    Choice::NotAnObject
                } else {
                    Choice::Unknown {
                        at: None,
                        allowed: units.clone(),
                    }
                }
            }
            (Self::Outside { units, keys }, Value::Object(members)) => {
                let present: Vec<Id> = keys
                    .iter()
                    .filter(|(key, _)| members.contains_key(key))
                    .map(|(_, id)| *id)
                    .collect();
                if !present.is_empty() {
                    return Choice::Branches(present);
                }
                // serde accepts `{"Unit": null}` too.
                if units.iter().any(|unit| members.contains_key(unit)) {
                    return Choice::Unit;
                }
                let allowed = units
                    .iter()
                    .chain(keys.iter().map(|(key, _)| key))
                    .cloned()
                    .collect();
                Choice::Unknown { at: None, allowed }
            }
            (Self::Inside { .. } | Self::Outside { .. }, _) => Choice::NotAnObject,
        }
    }
}

fn among(key: &str, variants: &[(String, Id)], members: &Map<String, Value>) -> Choice {
    let text = match members.get(key) {
        None => return Choice::Missing(key.to_owned()),
        Some(Value::String(text)) => text,
        Some(_) => return Choice::NotText(key.to_owned()),
    };
    let named: Vec<Id> = variants
        .iter()
        .filter(|(name, _)| name == text)
        .map(|(_, id)| *id)
        .collect();
    if named.is_empty() {
        let allowed = variants.iter().map(|(name, _)| name.clone()).collect();
        return Choice::Unknown {
            at: Some(key.to_owned()),
            allowed,
        };
    }
    Choice::Branches(named)
}

fn inside(graph: &Graph, branches: &[Id]) -> Option<Tag> {
    let first = graph.node(*branches.first()?);
    let is_tag = |key: &String, id: Id| {
        let node = graph.node(id);
        let texts = node
            .properties
            .get(key)
            .map_or(0, |id| graph.node(*id).texts.len());
        texts > 0 && node.required.contains(key)
    };
    let key = first
        .properties
        .keys()
        .find(|key| branches.iter().all(|id| is_tag(key, *id)))?
        .clone();
    let (mut variants, mut content) = (Vec::new(), None);
    let mut adjacent = true;
    for &id in branches {
        let node = graph.node(id);
        variants.extend(
            graph
                .node(node.properties[&key])
                .texts
                .iter()
                .map(|name| (name.clone(), id)),
        );
        adjacent &= node.all.is_empty() && node.unions.is_empty();
        for name in node.properties.keys().filter(|name| **name != key) {
            adjacent &= content.get_or_insert_with(|| name.clone()) == name;
        }
    }
    Some(Tag::Inside {
        key,
        variants,
        content: content.filter(|_| adjacent),
    })
}

fn outside(graph: &Graph, branches: &[Id]) -> Option<Tag> {
    let (mut units, mut keys) = (Vec::new(), Vec::new());
    for &id in branches {
        let node = graph.node(id);
        match (node.types.as_slice(), node.required.as_slice()) {
            ([kind], _) if kind == "string" && !node.texts.is_empty() => {
                units.extend(node.texts.iter().cloned())
            }
            ([kind], [key])
                if kind == "object" && node.properties.len() == 1 && node.properties.contains_key(key) =>
            {
                keys.push((key.clone(), id));
            }
            _ => return None,
        }
    }
    Some(Tag::Outside { units, keys })
}
