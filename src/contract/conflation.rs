//! Detection of types that schemars takes for one.
//!
//! schemars identifies a type by its module and its name after renaming. Of two types with the same ones, it generates a
//! schema for the first, and uses that for the second as well. The second schema generation here writes each type out in
//! place, so that no type stands for another, and the two results are compared.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::Value;

use super::{
    direction::{Direction, SchemaOf},
    references::{Definitions, local_name, settings},
};

/// Bound on the size of a schema that is written out in place, in JSON values. Types that refer to each other often grow
/// exponentially. Larger ones are not compared, which is logged.
const MOST: u64 = 100_000;

/// Returns the names that more than one Rust type has in the schema of a route, an event or the headers.
pub(super) fn conflated(
    owner: &str,
    schema: &Value,
    types: &Definitions,
    direction: Direction,
    schema_of: SchemaOf,
) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    if types.is_empty() {
        return found;
    }
    let known = HashMap::new();
    let size = Sizes { types, known }.of(schema);
    if size > MOST {
        tracing::warn!(
            owner,
            size,
            limit = MOST,
            "types not compared: their schema is too large. Two types in it must not have the same module and name"
        );
        return found;
    }
    let mut in_place = settings(direction);
    in_place.inline_subschemas = true;
    let mut generator = in_place.into_generator();
    let written = schema_of(&mut generator).to_value();
    // Recursive types stay references.
    let recursive: Definitions = generator.take_definitions(true).into_iter().collect();
    let mut comparison = Comparison {
        types,
        recursive: &recursive,
        seen: HashSet::new(),
        found: &mut found,
    };
    comparison.compare(
        &[At { schema, owner: "" }],
        &[At {
            schema: &written,
            owner: "",
        }],
    );
    found
}

/// Computes the sizes that schemas have when references are written out.
struct Sizes<'a> {
    types: &'a Definitions,
    /// `None` while a size is computed. A reference to it is recursive, and stays.
    known: HashMap<&'a str, Option<u64>>,
}

impl<'a> Sizes<'a> {
    fn of(&mut self, schema: &'a Value) -> u64 {
        match schema {
            Value::Object(members) => members.iter().fold(1, |sum: u64, (keyword, value)| {
                let size = match value {
                    Value::String(target) if keyword == "$ref" => self.of_type(target),
                    value => self.of(value),
                };
                sum.saturating_add(size)
            }),
            Value::Array(items) => items
                .iter()
                .fold(1, |sum: u64, item| sum.saturating_add(self.of(item))),
            _ => 1,
        }
    }

    fn of_type(&mut self, target: &str) -> u64 {
        let Some((name, schema)) = local_name(target).and_then(|name| self.types.get_key_value(&*name))
        else {
            return 1;
        };
        match self.known.get(name.as_str()) {
            Some(size) => size.unwrap_or(1),
            None => {
                self.known.insert(name, None);
                let size = self.of(schema);
                self.known.insert(name, Some(size));
                size
            }
        }
    }
}

/// A schema, and the type that it is part of.
#[derive(Clone, Copy)]
struct At<'a> {
    schema: &'a Value,
    owner: &'a str,
}

/// Compares two schemas of one type: with references, and written out in place.
struct Comparison<'a, 'b> {
    types: &'a Definitions,
    recursive: &'a Definitions,
    /// Pairs of places whose comparison has begun, by their addresses, so that recursive types end.
    seen: HashSet<(Vec<usize>, Vec<usize>)>,
    found: &'b mut BTreeSet<String>,
}

impl<'a> Comparison<'a, '_> {
    fn compare(&mut self, named: &[At<'a>], written: &[At<'a>]) {
        let addresses = |places: &[At<'_>]| {
            let mut addresses: Vec<_> = places
                .iter()
                .map(|at| std::ptr::from_ref(at.schema).addr())
                .collect();
            addresses.sort_unstable();
            addresses
        };
        if !self.seen.insert((addresses(named), addresses(written))) {
            return;
        }
        let named = Facets::of(named, self.types);
        let written = Facets::of(written, self.recursive);
        if !named.fits(&written) {
            self.found.insert(named.owner.to_owned());
            return;
        }
        if named.is_map() || written.is_map() {
            // Whether a key is a member or a pattern depends on whether its type is a reference.
            self.compare(&named.values(), &written.values());
        } else {
            for (name, places) in &named.members {
                self.compare(places, written.members.get(name).map_or(&[], Vec::as_slice));
            }
        }
        for (position, places) in &named.prefix {
            self.compare(places, written.prefix.get(position).map_or(&[], Vec::as_slice));
        }
        self.compare(&named.items, &written.items);
    }
}

/// The content of a place, with its references and branches merged. It has what is the same with references and
/// without, so no documentation, no nullability, and no rules that a field adds to its type.
#[derive(Default)]
struct Facets<'a> {
    owner: &'a str,
    has_references: bool,
    kinds: BTreeSet<&'a str>,
    formats: BTreeSet<&'a str>,
    constants: BTreeSet<String>,
    required: BTreeSet<&'a str>,
    rules: BTreeSet<(&'a str, String)>,
    members: BTreeMap<&'a str, Vec<At<'a>>>,
    prefix: BTreeMap<usize, Vec<At<'a>>>,
    items: Vec<At<'a>>,
    rest: Vec<At<'a>>,
}

/// Keywords about a single value.
const RULES: [&str; 9] = [
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "pattern",
];

impl<'a> Facets<'a> {
    fn of(places: &[At<'a>], types: &'a Definitions) -> Self {
        let mut facets = Self {
            owner: places.first().map_or("", |at| at.owner),
            ..Self::default()
        };
        let mut open: Vec<_> = places.iter().rev().copied().collect();
        let mut followed = BTreeSet::new();
        while let Some(At { schema, mut owner }) = open.pop() {
            let Value::Object(keywords) = schema else { continue };
            if let Some(target) = keywords.get("$ref").and_then(Value::as_str) {
                facets.has_references = true;
                if let Some((name, schema)) = local_name(target).and_then(|name| types.get_key_value(&*name))
                    && followed.insert(name)
                {
                    if facets.owner == owner {
                        facets.owner = name;
                    }
                    open.push(At { schema, owner: name });
                    // The keywords beside a reference belong to the place of the reference.
                    owner = name;
                }
            }
            for (keyword, value) in keywords {
                let at = |schema| At { schema, owner };
                match (keyword.as_str(), value) {
                    ("type", Value::String(kind)) => facets.add_kind(kind),
                    ("type", Value::Array(kinds)) => {
                        kinds
                            .iter()
                            .filter_map(Value::as_str)
                            .for_each(|kind| facets.add_kind(kind));
                    }
                    ("format", Value::String(format)) => {
                        facets.formats.insert(format);
                    }
                    ("const", constant) => facets.add_constant(constant),
                    ("enum", Value::Array(constants)) => {
                        constants
                            .iter()
                            .for_each(|constant| facets.add_constant(constant));
                    }
                    ("required", Value::Array(names)) => {
                        facets.required.extend(names.iter().filter_map(Value::as_str))
                    }
                    ("properties", Value::Object(members)) => {
                        for (name, schema) in members {
                            facets.members.entry(name).or_default().push(at(schema));
                        }
                    }
                    ("prefixItems", Value::Array(items)) => {
                        for (position, schema) in items.iter().enumerate() {
                            facets.prefix.entry(position).or_default().push(at(schema));
                        }
                    }
                    ("items", Value::Object(_)) => facets.items.push(at(value)),
                    ("additionalProperties" | "unevaluatedProperties", Value::Object(_)) => {
                        facets.rest.push(at(value))
                    }
                    ("patternProperties", Value::Object(patterns)) => {
                        facets.rest.extend(patterns.values().map(at))
                    }
                    ("allOf" | "anyOf" | "oneOf", Value::Array(branches)) => {
                        open.extend(branches.iter().rev().map(at))
                    }
                    (rule, value) if RULES.contains(&rule) => {
                        facets.rules.insert((rule, value.to_string()));
                    }
                    _ => {}
                }
            }
        }
        facets
    }

    fn add_kind(&mut self, kind: &'a str) {
        if kind != "null" {
            self.kinds.insert(kind);
        }
    }

    fn add_constant(&mut self, constant: &Value) {
        if !constant.is_null() {
            self.constants.insert(constant.to_string());
        }
    }

    fn is_map(&self) -> bool {
        !self.rest.is_empty()
    }

    /// Returns the places of all values of a map.
    fn values(&self) -> Vec<At<'a>> {
        self.rest
            .iter()
            .chain(self.members.values().flatten())
            .copied()
            .collect()
    }

    /// Returns true if this can be the content of a type that is `written` out. Values are compared by the caller.
    fn fits(&self, written: &Self) -> bool {
        let same_members =
            || self.members.keys().eq(written.members.keys()) && self.required == written.required;
        self.kinds == written.kinds
            && self.formats == written.formats
            && self.constants == written.constants
            && self.items.is_empty() == written.items.is_empty()
            && self.prefix.keys().eq(written.prefix.keys())
            && (self.is_map() || written.is_map() || same_members())
            // A field's rules replace those of its type only where it is written out.
            && (self.has_references || self.rules == written.rules)
    }
}
