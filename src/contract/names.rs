//! Names of types for formats that do not distinguish input from output.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Types;

/// Names of a contract's types for languages and formats that do not distinguish the two directions. A type that is
/// the same in both directions has one name. Otherwise the input type's name ends in `Input`.
#[derive(Debug)]
pub(super) struct Names {
    /// Names, keyed by reference: `#/types/input/Line`.
    names: BTreeMap<String, String>,
}

impl Names {
    /// Chooses a unique name for each type. A name that is `reserved` or taken gets an underscore at its end.
    pub(super) fn new(types: &Types, reserved: &[&str]) -> Self {
        let differing = differing(types);
        let mut taken: BTreeSet<String> = reserved.iter().map(|&name| name.to_owned()).collect();
        let mut claim = |name: &str| {
            let mut name = name.to_owned();
            while !taken.insert(name.clone()) {
                name.push('_');
            }
            name
        };
        let mut names = BTreeMap::new();
        for name in types.output.keys() {
            let claimed = claim(name);
            if types.input.contains_key(name) && !differing.contains(name.as_str()) {
                names.insert(format!("#/types/input/{name}"), claimed.clone());
            }
            names.insert(format!("#/types/output/{name}"), claimed);
        }
        for name in types.input.keys() {
            if differing.contains(name.as_str()) {
                names.insert(format!("#/types/input/{name}"), claim(&format!("{name}Input")));
            } else if !types.output.contains_key(name) {
                names.insert(format!("#/types/input/{name}"), claim(name));
            }
        }
        Self { names }
    }

    /// Returns the name of the type that a reference of the contract points at.
    pub(super) fn of(&self, reference: &str) -> Option<&str> {
        self.names.get(reference).map(String::as_str)
    }

    /// Returns the names of the types that clients send, also of those that they receive as well.
    pub(super) fn of_inputs(&self) -> BTreeSet<&str> {
        let inputs = self
            .names
            .iter()
            .filter(|(reference, _)| reference.starts_with("#/types/input/"));
        inputs.map(|(_, name)| name.as_str()).collect()
    }

    /// Returns every type once, by its name.
    pub(super) fn types<'a>(&self, types: &'a Types) -> BTreeMap<&str, &'a Value> {
        let mut named = BTreeMap::new();
        for (direction, types) in [("output", &types.output), ("input", &types.input)] {
            for (name, schema) in types {
                if let Some(name) = self.of(&format!("#/types/{direction}/{name}")) {
                    named.entry(name).or_insert(schema);
                }
            }
        }
        named
    }
}

/// Returns the names whose types differ between input and output, directly or through a type that they refer to.
fn differing(types: &Types) -> BTreeSet<&str> {
    let bare = |schema: &Value, direction: &str| {
        schema
            .to_string()
            .replace(&format!("#/types/{direction}/"), "#/types/")
    };
    let both: Vec<_> = types
        .output
        .iter()
        .filter_map(|(name, output)| {
            Some((
                name.as_str(),
                bare(output, "output"),
                bare(types.input.get(name)?, "input"),
            ))
        })
        .collect();
    let mut differing: BTreeSet<&str> = both
        .iter()
        .filter(|(_, output, input)| output != input)
        .map(|(name, ..)| *name)
        .collect();
    loop {
        let refers = |text: &str| {
            differing
                .iter()
                .any(|other| text.contains(&format!("\"#/types/{other}\"")))
        };
        let more: Vec<&str> = both
            .iter()
            .filter(|(name, output, _)| !differing.contains(name) && refers(output))
            .map(|(name, ..)| *name)
            .collect();
        if more.is_empty() {
            return differing;
        }
        differing.extend(more);
    }
}
