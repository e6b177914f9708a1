//! Construction of the nodes of a [`Graph`](super::schema::Graph) from a schema document.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{
    leaf::Leaf,
    pattern::Pattern,
    schema::{Additional, Id, Named, Node, Union},
    tag::Tag,
};
use crate::normalize::Step;

/// Builder of the nodes for one schema document.
pub(super) struct Builder<'a> {
    root: &'a Value,
    nodes: Vec<Node>,
    places: HashMap<&'a str, Id>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(root: &'a Value) -> Self {
        Self {
            root,
            nodes: Vec::new(),
            places: HashMap::new(),
        }
    }

    /// Returns the nodes of all schemas that can be reached from the root, the root first.
    pub(super) fn all(mut self) -> Vec<Node> {
        self.reference("#");
        self.nodes
    }

    /// Returns the node that a `$ref` within the document refers to. Each node is built once.
    fn reference(&mut self, reference: &'a str) -> Id {
        if let Some(&id) = self.places.get(reference) {
            return id;
        }
        let id = self.reserve();
        self.places.insert(reference, id);
        // A reference that can't be resolved adds no constraint. serde and garde have the decision in any case.
        let pointer = decode(reference.trim_start_matches('#'));
        if let Some(schema) = self.root.pointer(&pointer) {
            self.nodes[id] = self.build(schema);
        }
        id
    }

    fn reserve(&mut self) -> Id {
        self.nodes.push(Node::default());
        self.nodes.len() - 1
    }

    fn add(&mut self, schema: &'a Value) -> Id {
        let id = self.reserve();
        self.nodes[id] = self.build(schema);
        id
    }

    fn build(&mut self, schema: &'a Value) -> Node {
        let Value::Object(schema) = schema else {
            return Node {
                never: *schema == Value::Bool(false),
                ..Node::default()
            };
        };
        let mut node = Node {
            types: texts(schema.get("type")),
            bounds: schema.get("format").and_then(Value::as_str).and_then(bounds),
            field: schema.get("x-field").and_then(Value::as_str).map(str::to_owned),
            steps: texts(schema.get("x-normalize"))
                .iter()
                .filter_map(|name| Step::named(name))
                .collect(),
            texts: constants(schema),
            leaf: Leaf::new(schema),
            required: texts(schema.get("required")),
            additional: self.rest(schema, "additionalProperties"),
            unevaluated: self.rest(schema, "unevaluatedProperties"),
            items: self.rest(schema, "items"),
            prefix: self.list(schema, "prefixItems"),
            all: self.list(schema, "allOf"),
            ..Node::default()
        };
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            node.all.push(self.reference(reference));
        }
        if let Some(schema) = schema.get("not") {
            node.not = Some((self.add(schema), schema.to_string()));
        }
        for keyword in ["anyOf", "oneOf"] {
            if schema.contains_key(keyword) {
                node.unions.push(self.union(schema, keyword));
            }
        }
        if let Some(Value::Object(properties)) = schema.get("properties") {
            node.properties = properties
                .iter()
                .map(|(name, schema)| (name.clone(), self.add(schema)))
                .collect();
        }
        if let Some(Value::Object(patterns)) = schema.get("patternProperties") {
            for (text, schema) in patterns {
                if let Some(names) = Pattern::new(text) {
                    let id = self.add(schema);
                    node.patterns.push(Named { names, id });
                }
            }
        }
        node
    }

    fn list(&mut self, schema: &'a Map<String, Value>, keyword: &str) -> Vec<Id> {
        let schemas = schema.get(keyword).and_then(Value::as_array);
        schemas
            .into_iter()
            .flatten()
            .map(|schema| self.add(schema))
            .collect()
    }

    fn rest(&mut self, schema: &'a Map<String, Value>, keyword: &str) -> Additional {
        match schema.get(keyword) {
            None => Additional::Unspecified,
            Some(Value::Bool(false)) => Additional::Forbidden,
            Some(schema) => Additional::Matching(self.add(schema)),
        }
    }

    fn union(&mut self, schema: &'a Map<String, Value>, keyword: &str) -> Union {
        let mut union = Union {
            branches: Vec::new(),
            null: false,
            tag: Tag::None,
        };
        for schema in schema
            .get(keyword)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            if schema.get("type").and_then(Value::as_str) == Some("null") {
                union.null = true;
            } else {
                union.branches.push(self.add(schema));
            }
        }
        union
    }
}

/// Returns the text, or all texts of an array. Returns none for any other value.
fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(items)) => items
            .iter()
            .filter_map(|item| Some(item.as_str()?.to_owned()))
            .collect(),
        _ => Vec::new(),
    }
}

fn constants(schema: &Map<String, Value>) -> Vec<String> {
    let allowed = match (schema.get("const"), schema.get("enum")) {
        (Some(constant), _) => std::slice::from_ref(constant),
        (None, Some(Value::Array(options))) => options.as_slice(),
        _ => &[],
    };
    if allowed.iter().all(Value::is_string) {
        allowed
            .iter()
            .filter_map(|text| Some(text.as_str()?.to_owned()))
            .collect()
    } else {
        Vec::new()
    }
}

/// Returns the range of the Rust type that one of schemars' integer formats stands for. The formats of 128 bits need
/// none, since those types hold every integer that serde_json parses exactly.
fn bounds(format: &str) -> Option<(i128, i128)> {
    Some(match format {
        "int8" => (i8::MIN.into(), i8::MAX.into()),
        "int16" => (i16::MIN.into(), i16::MAX.into()),
        "int32" => (i32::MIN.into(), i32::MAX.into()),
        "int64" | "int" => (i64::MIN.into(), i64::MAX.into()),
        "uint8" => (0, u8::MAX.into()),
        "uint16" => (0, u16::MAX.into()),
        "uint32" => (0, u32::MAX.into()),
        "uint64" | "uint" => (0, u64::MAX.into()),
        _ => return None,
    })
}

/// Decodes the percent-encoding of a URI fragment.
fn decode(fragment: &str) -> String {
    let (mut bytes, mut rest) = (Vec::with_capacity(fragment.len()), fragment.as_bytes());
    while let [first, tail @ ..] = rest {
        let pair = tail
            .get(..2)
            .filter(|_| *first == b'%')
            .and_then(|pair| std::str::from_utf8(pair).ok());
        if let Some(byte) = pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            bytes.push(byte);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
