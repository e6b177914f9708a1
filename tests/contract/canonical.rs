//! The canonical form of a contract does not depend on the order of members. `tests/run` runs these tests with
//! `serde_json/preserve_order` and `serde_json/arbitrary_precision` too, which any crate of an app can switch on.

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use zocket::{ClientId, Context, Contract, Outgoing, Zocket, contract::Info};

#[derive(Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
struct Headers {
    #[serde(rename = "x-zone")]
    _zone: String,
    #[serde(rename = "name")]
    _name: Option<String>,
}

#[derive(Clone, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default)]
#[garde(allow_unvalidated)]
struct Settings {
    zoom: u8,
    angle: u8,
    margins: Margins,
    #[serde(rename = "zzoom")]
    #[garde(range(min = 0.25, max = 1e10))]
    scale: f32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            zoom: 1,
            angle: 2,
            margins: Margins { top: 3, left: 4 },
            scale: 0.1,
        }
    }
}

#[derive(Clone, Serialize, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
struct Margins {
    top: u8,
    left: u8,
}

#[derive(Serialize, JsonSchema)]
#[serde(tag = "kind")]
#[allow(dead_code, reason = "only its schema is used")]
enum Shape {
    Square { side: f64, at: (u8, u8) },
    Circle { radius: f64, at: (u8, u8) },
}

impl Outgoing for Shape {
    const TYPE: &'static str = "shape";
}

fn contract() -> Contract {
    let zo = Zocket::builder()
        .on_connect(async |_: Headers, _: ClientId| Ok(()))
        .build();
    let procedure = || {
        zo.message()
            .input::<Settings>()
            .handle(async |_: Context<()>, input: Settings| Ok(input))
    };
    zo.router()
        .outgoing::<Shape>()
        .incoming("z.set", procedure())
        .incoming("a.set", procedure())
        .contract()
}

/// Returns a value with the members of every object in reverse order, where maps keep an order.
fn reversed(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.into_iter().collect();
            members.sort_by(|one, other| other.0.cmp(&one.0));
            Value::Object(
                members
                    .into_iter()
                    .map(|(name, value)| (name, reversed(value)))
                    .collect::<Map<_, _>>(),
            )
        }
        Value::Array(items) => items.into_iter().map(reversed).collect(),
        value => value,
    }
}

#[test]
fn the_hash_is_the_same_in_every_build() {
    // A client that was generated in one build talks to servers of another.
    assert_eq!(contract().hash(), "3b84ebd5ecda1bf0");
}

#[test]
fn the_files_have_their_members_sorted_in_every_build() {
    let json = contract().to_json();
    let order = |text: &str, names: &[&str]| {
        let places: Vec<_> = names
            .iter()
            .map(|name| text.find(name).unwrap_or_else(|| panic!("{name}: {text}")))
            .collect();
        assert!(places.is_sorted(), "{names:?} in {text}");
    };
    order(
        &json,
        &[
            "\"headers\"",
            "\"incoming\"",
            "\"outgoing\"",
            "\"types\"",
            "\"zocket\"",
        ],
    );
    order(&json, &["\"angle\"", "\"margins\"", "\"zoom\""]);
    let text = contract().typescript();
    order(
        &text,
        &["  angle?: number", "  margins?: Margins", "  zoom?: number"],
    );
    order(&text, &["  name?: ", "  \"x-zone\": "]);
    order(&text, &["{\"left\":4,\"top\":3}", "  zoom?: number"]);
    let document = contract().asyncapi(&Info::new("Canonical", "1.0.0")).to_string();
    order(
        &document,
        &[
            "\"asyncapi\"",
            "\"channels\"",
            "\"components\"",
            "\"defaultContentType\"",
            "\"info\"",
            "\"operations\"",
        ],
    );
    order(&document, &["\"angle\"", "\"margins\"", "\"zoom\""]);
}

#[test]
fn the_order_of_members_has_no_effect() {
    let one = contract();
    let json = reversed(serde_json::to_value(&one).unwrap());
    let mut other = Contract::from_json(&json.to_string()).unwrap();
    other.headers = reversed(other.headers);
    for types in [&mut other.types.input, &mut other.types.output] {
        for schema in types.values_mut() {
            *schema = reversed(schema.take());
        }
    }
    assert_eq!(one.hash(), other.hash());
    assert_eq!(one.to_json(), other.to_json());
    assert_eq!(one.typescript(), other.typescript());
    let info = Info::new("Canonical", "1.0.0");
    assert_eq!(one.asyncapi(&info).to_string(), other.asyncapi(&info).to_string());
    assert!(one.diff(&other).is_empty(), "{}", one.diff(&other));
}

#[test]
fn the_hash_covers_data_that_looks_like_documentation() {
    let with = |schema: Value| {
        let mut contract = contract();
        contract.outgoing.get_mut("shape").unwrap().payload = schema;
        contract.hash()
    };
    // A value with a member called `title` is data. So is a member's schema.
    for schema in [
        json!({ "const": { "title": "a" } }),
        json!({ "enum": [{ "description": "a" }, 1] }),
        json!({ "default": { "examples": ["a"], "doc": "a" } }),
        json!({ "properties": { "default": { "default": { "title": "a" } } } }),
    ] {
        let other: Value = serde_json::from_str(&schema.to_string().replace("\"a\"", "\"b\"")).unwrap();
        assert_ne!(with(schema.clone()), with(other), "{schema}");
    }
    // Documentation has no effect, also of members that are called like keywords.
    for schema in [
        json!({ "title": "a" }),
        json!({ "properties": { "default": { "title": "a" } } }),
        json!({ "properties": { "title": { "description": "a", "examples": ["a"] } } }),
        json!({ "anyOf": [{ "items": { "$comment": "a" } }] }),
    ] {
        let other: Value = serde_json::from_str(&schema.to_string().replace("\"a\"", "\"b\"")).unwrap();
        assert_eq!(with(schema.clone()), with(other), "{schema}");
    }
}
