//! Comparison of schemas: finds the values that one schema accepts and another rejects.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::{
    Types,
    resolve::{combinations, is_annotation, parts, resolve, variants},
    rule::Rule,
    value_rules::{broken_rules, constants, types},
};

/// A rule of one schema that rejects some values of another schema.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Gap {
    /// Path from the value's root: `tags[].name`; empty for the root.
    pub(super) at: String,
    /// The rule of the schema that rejects the values.
    pub(super) rule: Rule,
}

/// Compares schemas of two sets of named types. `seen` holds the pairs of schemas whose comparison has begun, so that
/// recursive types do not recurse forever.
pub(super) struct GapFinder<'a> {
    from: &'a Types,
    to: &'a Types,
    seen: HashSet<(String, String)>,
}

type Object = Map<String, Value>;

impl<'a> GapFinder<'a> {
    pub(super) fn new(from: &'a Types, to: &'a Types) -> Self {
        Self {
            from,
            to,
            seen: HashSet::new(),
        }
    }

    /// Returns the rules by which `to` rejects values that `from` accepts. Empty if `to` accepts all of them.
    pub(super) fn find(&mut self, at: &str, from: &Value, to: &Value) -> Vec<Gap> {
        let (from, to) = (resolve(self.from, from), resolve(self.to, to));
        let (from, to) = (&*from, &*to);
        let gap = |rule| {
            vec![Gap {
                at: at.to_owned(),
                rule,
            }]
        };
        match (from, to) {
            (Value::Bool(false), _) | (_, Value::Bool(true)) => Vec::new(),
            (_, Value::Bool(false)) => gap(Rule::NoValue),
            (Value::Object(from), Value::Object(to)) => self.objects(at, from, to),
            (_, Value::Object(to)) if to.keys().all(|keyword| is_annotation(keyword)) => Vec::new(),
            _ => gap(Rule::FewerValues),
        }
    }

    fn objects(&mut self, at: &str, from: &Object, to: &Object) -> Vec<Gap> {
        // Recursive types get here again. The first comparison of a pair reports its gaps.
        if from == to && !mentions_names(from) || !self.seen.insert((text(from), text(to))) {
            return Vec::new();
        }
        // The keywords beside the variants apply to each variant.
        let wholes = combinations(self.from, from).or_else(|| variants(self.from, from));
        if let Some(wholes) = wholes {
            return wholes
                .iter()
                .flat_map(|whole| self.objects(at, whole, to))
                .collect();
        }
        // `unevaluatedProperties` is about the members of all parts together.
        let wholes = to
            .contains_key("unevaluatedProperties")
            .then(|| combinations(self.to, to))
            .flatten();
        if wholes.is_none()
            && let Some(mut parts) = parts(self.to, to)
        {
            if let Some(rest) = parts.last_mut() {
                rest.remove("unevaluatedProperties");
            }
            return parts
                .iter()
                .flat_map(|part| self.objects(at, from, part))
                .collect();
        }
        let Some(candidates) = wholes.or_else(|| variants(self.to, to)) else {
            let mut gaps: Vec<_> = broken_rules(from, to)
                .into_iter()
                .map(|rule| Gap {
                    at: at.to_owned(),
                    rule,
                })
                .collect();
            gaps.extend(self.members(at, from, to));
            gaps.extend(self.items(at, from, to));
            return gaps;
        };
        let mut nearest = None;
        for candidate in &candidates {
            let mut attempt = Self {
                seen: self.seen.clone(),
                ..*self
            };
            let found = attempt.objects(at, from, candidate);
            if found.is_empty() {
                self.seen = attempt.seen;
                return found;
            }
            if candidates.len() == 1 || has_tag(from, candidate) {
                nearest = Some(found);
            }
        }
        nearest.unwrap_or_else(|| {
            vec![Gap {
                at: at.to_owned(),
                rule: Rule::NoVariant(describe(from)),
            }]
        })
    }

    fn members(&mut self, at: &str, from: &Object, to: &Object) -> Vec<Gap> {
        let mut gaps = Vec::new();
        let gap = |gaps: &mut Vec<Gap>, at, rule| gaps.push(Gap { at, rule });
        for name in required(to).filter(|name| !required(from).any(|other| other == *name)) {
            gap(&mut gaps, join(at, name), Rule::Required);
        }
        let further = further_members(to);
        let closed = further == Some(&Value::Bool(false));
        let further = further.filter(|_| !closed);
        for (name, schema) in entries(from, "properties") {
            match find(to, "properties", name).or(further) {
                Some(other) => gaps.extend(self.find(&join(at, name), schema, other)),
                None if closed => gap(&mut gaps, join(at, name), Rule::NoMember),
                None => {}
            }
        }
        for (pattern, schema) in entries(from, "patternProperties") {
            match find(to, "patternProperties", pattern).or(further) {
                Some(other) => gaps.extend(self.find(&join(at, "*"), schema, other)),
                None if closed => gap(&mut gaps, at.to_owned(), Rule::NoFurtherMembers),
                None => {}
            }
        }
        let own_further = further_members(from);
        if closed && own_further != Some(&Value::Bool(false)) && types(from).contains(&"object") {
            gap(&mut gaps, at.to_owned(), Rule::NoFurtherMembers);
        }
        if let Some(one) = own_further {
            // A further member may have any name, so one that fits a pattern, too.
            let patterns = entries(to, "patternProperties").map(|(_, schema)| schema);
            for other in patterns.chain(further) {
                gaps.extend(self.find(&join(at, "*"), one, other));
            }
        }
        for (name, schema) in entries(from, "dependentSchemas") {
            if let Some(other) = find(to, "dependentSchemas", name) {
                gaps.extend(self.find(&join(at, "*"), schema, other));
            }
        }
        gaps
    }

    fn items(&mut self, at: &str, from: &Object, to: &Object) -> Vec<Gap> {
        let mut gaps = Vec::new();
        for position in 0..tuple(from).len().max(tuple(to).len()) {
            if let (Some(one), Some(other)) = (item(from, position), item(to, position)) {
                gaps.extend(self.find(&format!("{at}[{position}]"), one, other));
            }
        }
        if let (Some(one), Some(other)) = (from.get("items"), to.get("items")) {
            gaps.extend(self.find(&format!("{at}[]"), one, other));
        }
        gaps
    }
}

fn text(schema: &Object) -> String {
    serde_json::to_string(schema).unwrap_or_default()
}

/// Returns true if the schema has references: the same text may then mean something else in the other contract.
fn mentions_names(schema: &Object) -> bool {
    text(schema).contains("\"$ref\"")
}

/// Returns the constant members that identify a variant.
fn tag(schema: &Object) -> Option<Vec<(&str, &Value)>> {
    let tags: Vec<_> = entries(schema, "properties")
        .filter_map(|(name, schema)| Some((name, schema.get("const")?)))
        .collect();
    (!tags.is_empty()).then_some(tags)
}

/// Returns true if a schema has the constant members that identify a variant.
fn has_tag(schema: &Object, variant: &Object) -> bool {
    match (tag(schema), tag(variant)) {
        (Some(all), Some(tags)) => tags.iter().all(|tag| all.contains(tag)),
        _ => false,
    }
}

fn describe(schema: &Object) -> String {
    if let Some(values) = constants(schema) {
        return values
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", ");
    }
    match tag(schema) {
        Some(tags) => tags
            .iter()
            .map(|(name, value)| format!("{name} {value}"))
            .collect::<Vec<_>>()
            .join(", "),
        None => {
            let members = entries(schema, "properties")
                .map(|(name, _)| name)
                .collect::<Vec<_>>();
            if members.is_empty() {
                types(schema).join(" or ")
            } else {
                format!("with {}", members.join(", "))
            }
        }
    }
}

/// Returns the schemas of the first items, if each has its own.
fn tuple(schema: &Object) -> &[Value] {
    let own = schema.get("prefixItems").and_then(Value::as_array);
    own.map_or(&[], Vec::as_slice)
}

/// Returns the schema of the item at a position. `None` if there is no such item, or if it may be anything.
fn item(schema: &Object, position: usize) -> Option<&Value> {
    let most = schema.get("maxItems").and_then(Value::as_u64);
    if most.is_some_and(|most| position as u64 >= most) {
        return None;
    }
    tuple(schema).get(position).or_else(|| schema.get("items"))
}

fn required(schema: &Object) -> impl Iterator<Item = &str> {
    schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

fn entries<'a>(schema: &'a Object, keyword: &str) -> impl Iterator<Item = (&'a str, &'a Value)> + use<'a> {
    let entries = schema.get(keyword).and_then(Value::as_object);
    entries
        .into_iter()
        .flatten()
        .map(|(name, schema)| (name.as_str(), schema))
}

fn find<'a>(schema: &'a Object, keyword: &str, name: &str) -> Option<&'a Value> {
    schema.get(keyword).and_then(|entries| entries.get(name))
}

/// Returns the schema of the members that have none of their own. schemars writes `unevaluatedProperties` for a type with
/// flattened fields, whose variants have been merged with it here.
fn further_members(schema: &Object) -> Option<&Value> {
    schema
        .get("additionalProperties")
        .or_else(|| schema.get("unevaluatedProperties"))
}

fn join(at: &str, name: &str) -> String {
    if at.is_empty() {
        name.to_owned()
    } else {
        format!("{at}.{name}")
    }
}
