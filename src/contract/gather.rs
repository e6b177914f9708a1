//! Gathers schemas under stable names.

use std::collections::{BTreeMap, BTreeSet};

use schemars::{Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::Value;

use super::Types;

/// Function that generates a type's schema.
pub(crate) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

const PREFIX: &str = "#/$defs/";

/// Direction in which values of a type are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Direction {
    /// From the client.
    Input,
    /// To the client.
    Output,
}

impl Direction {
    const fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
        }
    }
}

/// Gathers the schemas of several roots: the connect headers, the inputs and outputs of routes, and the payloads of
/// events. The owner of a root is its route or event, or `headers`. Each root has its own generator, so that a type's
/// name does not depend on the other declarations. If roots use one name for different types, each type's name is
/// prefixed with the first owner that uses the type, in the order of the owners' names.
#[derive(Debug, Default)]
pub(crate) struct Gatherer {
    roots: Vec<Root>,
}

#[derive(Debug)]
struct Root {
    /// Route or event of the schema, such as `chat.post`, or `headers`. Types with clashing names get it as a prefix.
    owner: String,
    direction: Direction,
    schema: Value,
    types: BTreeMap<String, Value>,
}

/// A schema in a [`Gatherer`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gathered(usize);

impl Gatherer {
    /// Adds a root: the schema of the type that its `owner` receives or sends.
    pub(crate) fn add(&mut self, owner: &str, direction: Direction, schema_of: SchemaOf) -> Gathered {
        let settings = SchemaSettings::draft2020_12();
        let mut generator = match direction {
            Direction::Input => settings.for_deserialize(),
            Direction::Output => settings.for_serialize(),
        }
        .into_generator();
        let schema = schema_of(&mut generator).to_value();
        let types = generator.take_definitions(true).into_iter().collect();
        self.roots.push(Root {
            owner: owner.to_owned(),
            direction,
            schema,
            types,
        });
        Gathered(self.roots.len() - 1)
    }

    /// Returns the schemas of the roots, in the order in which they were added, and the types that they refer to.
    pub(crate) fn finish(self) -> (GatheredSchemas, Types) {
        let names = self.choose_names();
        let mut types = Types::default();
        let mut schemas = Vec::with_capacity(self.roots.len());
        for (
            index,
            Root {
                direction,
                mut schema,
                types: local,
                ..
            },
        ) in self.roots.into_iter().enumerate()
        {
            let rename = |name: &str| {
                names
                    .get(&(index, name.to_owned()))
                    .cloned()
                    .unwrap_or_else(|| name.to_owned())
            };
            rewrite(&mut schema, direction, &rename);
            schemas.push(schema);
            let all = match direction {
                Direction::Input => &mut types.input,
                Direction::Output => &mut types.output,
            };
            for (name, mut schema) in local {
                rewrite(&mut schema, direction, &rename);
                all.insert(rename(&name), schema);
            }
        }
        (GatheredSchemas(schemas), types)
    }

    /// Chooses the name of each type of each root, keyed by the root's index and the type's name in that root.
    fn choose_names(&self) -> BTreeMap<(usize, String), String> {
        // For each name, the roots that use it, grouped by the type's definition with all that it refers to.
        let mut meanings: BTreeMap<(&str, Direction), BTreeMap<String, Vec<usize>>> = BTreeMap::new();
        for (index, root) in self.roots.iter().enumerate() {
            for name in root.types.keys() {
                let meaning = definitions_reached(name, &root.types);
                meanings
                    .entry((name, root.direction))
                    .or_default()
                    .entry(meaning)
                    .or_default()
                    .push(index);
            }
        }
        let mut names = BTreeMap::new();
        for ((name, _), meanings) in meanings {
            let single = meanings.len() == 1;
            let mut taken = BTreeSet::new();
            let first_owner =
                |users: &Vec<usize>| users.iter().map(|&user| self.roots[user].owner.as_str()).min();
            let mut meanings: Vec<_> = meanings.into_values().collect();
            meanings.sort_by_key(first_owner);
            for users in meanings {
                let mut unique = match first_owner(&users) {
                    Some(owner) if !single => format!("{}{}", pascal_case(owner), pascal_case(name)),
                    _ => pascal_case(name),
                };
                // Two definitions can have the same first owner.
                while !taken.insert(unique.clone()) {
                    unique.push('_');
                }
                names.extend(
                    users
                        .into_iter()
                        .map(|user| ((user, name.to_owned()), unique.clone())),
                );
            }
        }
        names
    }
}

/// The schemas of the roots.
#[derive(Debug)]
pub(crate) struct GatheredSchemas(Vec<Value>);

impl GatheredSchemas {
    pub(crate) fn take(&mut self, root: Gathered) -> Value {
        self.0[root.0].take()
    }
}

/// Returns the definitions of a type and of all that it refers to, as text for comparison.
fn definitions_reached(name: &str, types: &BTreeMap<String, Value>) -> String {
    let mut reached = BTreeMap::new();
    let mut open = vec![name];
    while let Some(name) = open.pop() {
        if let Some(schema) = types.get(name)
            && reached.insert(name, schema).is_none()
        {
            references(schema, &mut |name| open.push(name));
        }
    }
    format!("{reached:?}")
}

fn references<'a>(schema: &'a Value, see: &mut impl FnMut(&'a str)) {
    match schema {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(target) if name == "$ref" => {
                        if let Some(target) = target.strip_prefix(PREFIX) {
                            see(target);
                        }
                    }
                    value => references(value, see),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, see)),
        _ => {}
    }
}

/// Rewrites a schema's references to point at the contract's types.
fn rewrite(schema: &mut Value, direction: Direction, rename: &impl Fn(&str) -> String) {
    match schema {
        Value::Object(members) => {
            for (name, value) in members {
                if name == "$ref"
                    && let Value::String(target) = value
                    && let Some(local) = target.strip_prefix(PREFIX)
                {
                    *target = format!("#/types/{}/{}", direction.name(), rename(local));
                } else {
                    rewrite(value, direction, rename);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rewrite(item, direction, rename)),
        _ => {}
    }
}

/// Converts a name to an identifier that is valid in any language: `Page_for_chat-line` to `PageForChatLine`,
/// `chat.post` to `ChatPost`.
fn pascal_case(name: &str) -> String {
    let mut pascal = String::with_capacity(name.len());
    let mut begins = true;
    for letter in name.chars() {
        if !letter.is_alphanumeric() {
            begins = true;
        } else if begins {
            pascal.extend(letter.to_uppercase());
            begins = false;
        } else {
            pascal.push(letter);
        }
    }
    if pascal.starts_with(|first: char| first.is_numeric()) {
        pascal.insert(0, '_');
    }
    pascal
}
