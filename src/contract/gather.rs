//! Gathering schemas under stable names.

use std::collections::{BTreeMap, BTreeSet};

use schemars::{Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::Value;

use super::Types;

/// What makes a type's schema.
pub(crate) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

const PREFIX: &str = "#/$defs/";

/// The direction in which a type goes.
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

/// Gathers the schemas of several roots. Each root has a generator of its own, so that a type's name does not depend
/// on what else was declared; names that then mean different types are told apart by the place that uses them first,
/// in the order of the places' names.
#[derive(Debug, Default)]
pub(crate) struct Gatherer {
    roots: Vec<Root>,
}

#[derive(Debug)]
struct Root {
    /// Of what it is the schema, by which clashing names are told apart: `chat.post`.
    place: String,
    direction: Direction,
    schema: Value,
    types: BTreeMap<String, Value>,
}

/// A schema in a [`Gatherer`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gathered(usize);

impl Gatherer {
    /// Adds a root.
    pub(crate) fn add(&mut self, place: &str, direction: Direction, schema_of: SchemaOf) -> Gathered {
        let settings = SchemaSettings::draft2020_12();
        let mut generator = match direction {
            Direction::Input => settings.for_deserialize(),
            Direction::Output => settings.for_serialize(),
        }
        .into_generator();
        let schema = schema_of(&mut generator).to_value();
        let types = generator.take_definitions(true).into_iter().collect();
        self.roots.push(Root {
            place: place.to_owned(),
            direction,
            schema,
            types,
        });
        Gathered(self.roots.len() - 1)
    }

    /// The schemas of the roots, in the order in which they were added, and the types that they refer to.
    pub(crate) fn finish(self) -> (Finished, Types) {
        let names = self.name();
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
        (Finished(schemas), types)
    }

    /// The name of each root's each type.
    fn name(&self) -> BTreeMap<(usize, String), String> {
        // Who calls what by this name, told apart by all that it leads to.
        let mut meanings: BTreeMap<(&str, Direction), BTreeMap<String, Vec<usize>>> = BTreeMap::new();
        for (index, root) in self.roots.iter().enumerate() {
            for name in root.types.keys() {
                let meaning = closure(name, &root.types);
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
            let first_place =
                |users: &Vec<usize>| users.iter().map(|&user| self.roots[user].place.as_str()).min();
            let mut meanings: Vec<_> = meanings.into_values().collect();
            meanings.sort_by_key(first_place);
            for users in meanings {
                let mut unique = match first_place(&users) {
                    Some(place) if !single => format!("{}{}", pascal_case(place), pascal_case(name)),
                    _ => pascal_case(name),
                };
                // Two variants of one place.
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
pub(crate) struct Finished(Vec<Value>);

impl Finished {
    pub(crate) fn take(&mut self, root: Gathered) -> Value {
        self.0[root.0].take()
    }
}

/// A type and all that it refers to, as text.
fn closure(name: &str, types: &BTreeMap<String, Value>) -> String {
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

/// Lets a schema's references lead to the contract's types.
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

/// `Page_for_chat-line` as `PageForChatLine`, `chat.post` as `ChatPost`: a name in any language.
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
