//! One name for each type, whichever way it goes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Types;

/// The names of a contract's types in a world that has no two directions, as languages' are. A type that looks the
/// same both ways has one name; of one that does not, the input's ends in `Input`.
#[derive(Debug)]
pub(super) struct Names {
    /// By reference: `#/types/input/Line`.
    names: BTreeMap<String, String>,
}

impl Names {
    /// Names that are none of those `reserved`.
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

    /// The name that a reference of the contract's stands for.
    pub(super) fn of(&self, reference: &str) -> Option<&str> {
        self.names.get(reference).map(String::as_str)
    }

    /// Every type under its name, once.
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

/// The names that mean different types as input and as output, themselves or by what they refer to.
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
