//! Resolution of references, unions and intersections in a contract's schemas.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::Types;

type Object = Map<String, Value>;

/// Bound on the number of combinations of the unions in an intersection. Larger ones are not resolved.
const MOST: usize = 256;

/// Follows references to the schema that they lead to, and adds the keywords beside them. Returns a schema without a
/// known reference as it is.
pub(super) fn resolve<'a>(types: &'a Types, schema: &'a Value) -> Cow<'a, Value> {
    let mut schema = Cow::Borrowed(schema);
    // A chain of references is no longer than the number of names. This bound ends a cycle.
    for _ in 0..=types.input.len() + types.output.len() {
        let target = reference(&schema).and_then(|target| {
            let (direction, name) = target.strip_prefix("#/types/")?.split_once('/')?;
            if direction == "input" {
                types.input.get(name)
            } else {
                types.output.get(name)
            }
        });
        let Some(target) = target else { break };
        let mut beside = schema.as_object().cloned().unwrap_or_default();
        beside.retain(|keyword, _| keyword != "$ref" && !is_annotation(keyword));
        schema = if beside.is_empty() {
            Cow::Borrowed(target)
        } else {
            Cow::Owned(Value::Object(merge(target, &beside)))
        };
    }
    schema
}

/// Returns true if a schema accepts null and nothing else.
pub(super) fn is_null(types: &Types, schema: &Value) -> bool {
    let schema = resolve(types, schema);
    schema.get("type").is_some_and(|kind| kind == "null") || schema.get("const").is_some_and(Value::is_null)
}

fn reference(schema: &Value) -> Option<&str> {
    schema.get("$ref").and_then(Value::as_str)
}

/// Merges a variant with the keywords beside the variants.
pub(super) fn merge(variant: &Value, beside: &Object) -> Object {
    let mut merged = variant.as_object().cloned().unwrap_or_default();
    for (keyword, value) in beside {
        match (merged.get_mut(keyword), value) {
            _ if is_branching(keyword) => {}
            (Some(Value::Object(own)), Value::Object(more)) if keyword == "properties" => {
                own.extend(more.iter().map(|(name, schema)| (name.clone(), schema.clone())));
            }
            (Some(Value::Array(own)), Value::Array(more)) if keyword == "required" => {
                own.extend(more.iter().cloned());
            }
            (Some(_), _) => {}
            (None, value) => drop(merged.insert(keyword.clone(), value.clone())),
        }
    }
    merged
}

/// Returns a union's variants, each with the keywords beside them. `None` for a schema that is no union.
pub(super) fn variants(types: &Types, schema: &Object) -> Option<Vec<Object>> {
    let variants = schema
        .get("oneOf")
        .or_else(|| schema.get("anyOf"))
        .and_then(Value::as_array)?;
    let whole = |variant| merge(&resolve(types, variant), schema);
    Some(variants.iter().map(whole).collect())
}

/// Returns the parts of an intersection: those of `allOf`, and the schema without it. `None` for a schema that is none.
pub(super) fn parts(types: &Types, schema: &Object) -> Option<Vec<Object>> {
    let all = schema.get("allOf").and_then(Value::as_array)?;
    let mut rest = schema.clone();
    rest.remove("allOf");
    let parts = all.iter().map(|part| resolve(types, part));
    let parts = parts.filter_map(|part| part.as_object().cloned());
    Some(parts.chain([rest]).collect())
}

/// Returns the combinations of the variants of an intersection's parts. `None` for a schema that is no intersection, or
/// that has too many.
pub(super) fn combinations(types: &Types, schema: &Object) -> Option<Vec<Object>> {
    let mut combinations = vec![Object::new()];
    for part in parts(types, schema)? {
        let options = variants(types, &part).unwrap_or_else(|| vec![part]);
        if combinations.len() * options.len() > MOST {
            return None;
        }
        combinations = combinations
            .iter()
            .flat_map(|one| {
                options
                    .iter()
                    .map(|other| merge(&Value::Object(other.clone()), one))
            })
            .collect();
    }
    Some(combinations)
}

fn is_branching(keyword: &str) -> bool {
    matches!(keyword, "anyOf" | "oneOf" | "allOf")
}

pub(super) fn is_annotation(keyword: &str) -> bool {
    matches!(
        keyword,
        "title" | "description" | "default" | "examples" | "deprecated"
    )
}
