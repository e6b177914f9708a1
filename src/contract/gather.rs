//! Gathers schemas under stable names.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    Types,
    canonical::sorted,
    conflation::conflated,
    direction::{Direction, SchemaOf},
    references::{local_name, settings},
    unique_names::{Use, choose_names},
};

/// Gathers the schemas of several roots: the connect headers, the inputs and outputs of routes, and the payloads of
/// events. The owner of a root is its route or event, or `headers`. Each root has its own generator, so that a type's
/// name does not depend on the other declarations, unless several types have the same name: see [`choose_names`].
#[derive(Debug, Default)]
pub(crate) struct Gatherer {
    roots: Vec<Root>,
    problems: Vec<String>,
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
        let mut generator = settings(direction).into_generator();
        let schema = sorted(schema_of(&mut generator).to_value());
        let types = generator.take_definitions(true).into_iter();
        let types = types.map(|(name, schema)| (name, sorted(schema))).collect();
        for name in conflated(owner, &schema, &types, direction, schema_of) {
            self.problems.push(format!(
                "two types in the {} of `{owner}` are called `{name}`: give one of them another name, by \
                 `#[serde(rename = \"..\")]` or `#[schemars(rename = \"..\")]`, or put them into different modules",
                direction.name(),
            ));
        }
        self.roots.push(Root {
            owner: owner.to_owned(),
            direction,
            schema,
            types,
        });
        Gathered(self.roots.len() - 1)
    }

    /// Takes the problems of the types: those that can't be distinguished by their schemas.
    pub(crate) fn take_problems(&mut self) -> Vec<String> {
        std::mem::take(&mut self.problems)
    }

    /// Returns the schemas of the roots, in the order in which they were added, and the types that they refer to.
    pub(crate) fn finish(self) -> (GatheredSchemas, Types) {
        let names = choose_names(self.uses());
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

    /// Returns each type of each root.
    fn uses(&self) -> Vec<Use<'_>> {
        let roots = self.roots.iter().enumerate();
        roots
            .flat_map(|(index, root)| {
                root.types.keys().map(move |name| Use {
                    root: index,
                    owner: &root.owner,
                    direction: root.direction,
                    name,
                    meaning: definitions_reached(name, &root.types),
                })
            })
            .collect()
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
    let mut open: Vec<&str> = vec![name];
    while let Some(name) = open.pop() {
        if let Some(schema) = types.get(name)
            && reached.insert(name, schema).is_none()
        {
            references(schema, &mut |name| {
                if let Some((name, _)) = types.get_key_value(name) {
                    open.push(name);
                }
            });
        }
    }
    format!("{reached:?}")
}

fn references(schema: &Value, see: &mut impl FnMut(&str)) {
    match schema {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(target) if name == "$ref" => {
                        if let Some(target) = local_name(target) {
                            see(&target);
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
                    && let Some(local) = local_name(target)
                {
                    *target = format!("#/types/{}/{}", direction.name(), rename(&local));
                } else {
                    rewrite(value, direction, rename);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rewrite(item, direction, rename)),
        _ => {}
    }
}
