//! Agreement of three checks of an input: serde with garde, the walk along the schema, and `jsonschema` with the whole
//! schema.

use std::collections::BTreeMap;

use garde::Validate;
use schemars::{JsonSchema, generate::SchemaSettings};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::{Checker, schema::Graph, walk};
use crate::normalize::Trimmed;

#[derive(Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Everything {
    #[garde(length(chars, min = 1, max = 3))]
    text: String,
    #[garde(range(min = 1, max = 9))]
    number: Option<i64>,
    #[garde(length(max = 2), inner(pattern("^[a-z]*$")))]
    list: Vec<String>,
    #[garde(skip)]
    pair: (bool, u8),
    #[garde(dive)]
    map: BTreeMap<String, Point>,
    #[garde(dive)]
    one: Option<Point>,
    #[garde(dive)]
    outside: Outside,
    #[garde(dive)]
    inside: Option<Inside>,
    #[garde(dive)]
    beside: Beside,
    #[garde(dive)]
    either: Either,
    #[garde(dive)]
    flat: Flat,
    #[garde(email)]
    #[serde(default)]
    email: Option<String>,
    #[garde(length(chars, min = 1))]
    #[serde(default)]
    trimmed: Option<Trimmed>,
}

#[derive(Deserialize, JsonSchema, Validate)]
struct Point {
    #[garde(range(min = 0.0))]
    x: f64,
    #[garde(skip)]
    #[serde(default)]
    y: i8,
}

#[derive(Deserialize, JsonSchema, Validate)]
enum Outside {
    Unit,
    Struct {
        #[garde(length(chars, min = 1))]
        name: String,
    },
    Pair(#[garde(skip)] u8, #[garde(skip)] u8),
    New(#[garde(dive)] Point),
}

#[derive(Deserialize, JsonSchema, Validate)]
#[serde(tag = "kind")]
enum Inside {
    Unit,
    Struct {
        #[garde(length(chars, min = 1))]
        name: String,
    },
    New(#[garde(dive)] Point),
}

#[derive(Deserialize, JsonSchema, Validate)]
#[serde(tag = "t", content = "c")]
enum Beside {
    Unit,
    Text(#[garde(length(chars, min = 1))] String),
    New(#[garde(dive)] Point),
}

#[derive(Deserialize, JsonSchema, Validate)]
#[serde(untagged)]
enum Either {
    Flag(#[garde(skip)] bool),
    Point(#[garde(dive)] Point),
    List(#[garde(inner(range(min = 1)))] Vec<u8>),
}

#[derive(Deserialize, JsonSchema, Validate)]
struct Flat {
    #[garde(skip)]
    id: u32,
    #[serde(flatten)]
    #[garde(dive)]
    inside: Inside,
    #[serde(flatten)]
    #[garde(skip)]
    rest: BTreeMap<String, Value>,
}

fn good() -> Value {
    json!({"text": "abc", "number": 5, "list": ["a", "b"], "pair": [true, 1], "map": {"k": {"x": 1, "y": 2}},
        "one": {"x": 0}, "outside": {"Struct": {"name": "n"}}, "inside": {"kind": "Struct", "name": "n"},
        "beside": {"t": "Text", "c": "x"}, "either": {"x": 1}, "flat": {"id": 1, "kind": "New", "x": 1, "more": 1},
        "email": "a@b.org", "trimmed": "x"})
}

/// Calls `out` with each value that differs from `value` in one place, and with none for the absence of the value.
fn mutations(value: &Value, out: &mut dyn FnMut(Option<Value>)) {
    let others = [
        json!(null),
        json!(true),
        json!(-1),
        json!(0),
        json!(300),
        json!(0.5),
        json!(""),
        json!("abcd"),
        json!("Unit"),
        json!("New"),
        json!("Ä"),
        json!([]),
        json!([1, 2, 3]),
        json!(["A"]),
        json!({}),
        json!({"x": -1}),
        json!({"kind": "New", "x": 2}),
        json!({"t": "New", "c": {"x": 1}}),
        json!({"New": {"x": 1}, "Pair": [1, 2]}),
        json!({"Pair": [1]}),
    ];
    others.into_iter().for_each(|other| out(Some(other)));
    out(None);
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                mutations(member, &mut |other| {
                    let mut members = members.clone();
                    match other {
                        Some(other) => members.insert(key.clone(), other),
                        None => members.remove(key),
                    };
                    out(Some(Value::Object(members)));
                });
            }
            let mut more = members.clone();
            more.insert("extra".to_owned(), json!(1));
            out(Some(Value::Object(more)));
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                mutations(item, &mut |other| {
                    let mut items = items.clone();
                    match other {
                        Some(other) => items[index] = other,
                        None => drop(items.remove(index)),
                    }
                    out(Some(Value::Array(items)));
                });
            }
        }
        _ => {}
    }
}

#[test]
fn the_schema_walk_agrees_with_serde_garde_and_json_schema() {
    let generator = SchemaSettings::draft2020_12().for_deserialize().into_generator();
    let schema = generator.into_root_schema_for::<Everything>().to_value();
    let standard = jsonschema::options()
        .should_validate_formats(true)
        .build(&schema)
        .unwrap();
    let graph = Graph::new(&schema);
    let checker = Checker::<Everything>::new();
    assert!(checker.check(good().to_string().as_bytes()).is_ok());
    let (mut refused, mut looser, mut stricter) = (0, Vec::new(), Vec::new());
    mutations(&good(), &mut |value| {
        let Some(value) = value else { return };
        let json = value.to_string();
        let issues = walk::issues(&graph, &value, json.len(), 100);
        assert_eq!(issues.is_empty(), standard.is_valid(&value), "{json}: {issues:?}");
        match checker.check(json.as_bytes()) {
            Ok(_) if issues.is_empty() => {}
            Ok(_) => looser.push(issues[0].to_string()),
            Err(_) if issues.is_empty() => stricter.push(json),
            Err(_) => refused += 1,
        }
    });
    assert_eq!(refused, 601);
    // serde accepts an array of a struct's fields in order, and a variant's position in place of its name.
    looser.sort();
    assert_eq!(
        looser,
        [
            "flat.kind: expected a string, got a number",
            "map.Pair: expected an object, got an array",
            "map.Pair: expected an object, got an array",
            "outside.Struct: expected an object, got an array",
        ]
    );
    // serde refuses content of an adjacently tagged unit variant. The schema allows it.
    assert_eq!(stricter.len(), 1, "{stricter:#?}");
}
