//! Changes of a type to any other type: a client that sends the old type must not break unnoticed.

use std::{
    any::type_name,
    collections::{BTreeMap, BTreeSet},
};

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use zocket::{Context, Contract, Error, Zocket, contract::Compatibility};

#[derive(Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
struct Input<T> {
    #[allow(dead_code, reason = "only read by serde")]
    value: T,
}

macro_rules! types {
    ($($item:item)*) => {
        $(
            #[derive(Deserialize, JsonSchema)]
            #[allow(dead_code, reason = "only read by serde")]
            $item
        )*
    };
}

types! {
    struct Empty {}
    struct Point { x: u8, y: u8 }
    struct Named { x: u8, name: String }
    struct Loose { x: u8, #[serde(default)] y: u8 }
    struct Missing { x: u8, y: Option<u8> }
    struct Renamed { #[serde(rename = "X")] x: u8, y: u8 }
    #[serde(deny_unknown_fields)] struct Closed { x: u8 }
    #[serde(deny_unknown_fields)] struct ClosedPoint { x: u8, y: u8 }
    struct Rest { x: u8, #[serde(flatten)] rest: BTreeMap<String, u32> }
    struct Texts { x: u8, #[serde(flatten)] rest: BTreeMap<String, String> }
    struct Within { point: Point }
    struct WithinNamed { point: Named }
    struct Tuple(u8, String);
    struct New(u8);
    enum Unit { A, B }
    enum More { A, B, C }
    #[serde(rename_all = "lowercase")] enum Lower { A, B }
    enum External { A(u8), B { x: u8 } }
    enum ExternalText { A(String), B { x: u8 } }
    #[serde(tag = "t")] enum Internal { A { x: u8 }, B { y: u8 } }
    #[serde(tag = "t")] enum InternalText { A { x: String }, B { y: u8 } }
    #[serde(tag = "kind")] enum OtherTag { A { x: u8 }, B { y: u8 } }
    #[serde(tag = "t", content = "c")] enum Adjacent { A(u8), B(String) }
    #[serde(tag = "t", content = "c")] enum Swapped { A(String), B(u8) }
    #[serde(untagged)] enum Untagged { Number(u8), Text(String) }
    #[serde(untagged)] enum Either { Point(Point), Named(Named) }
    struct Tree { value: u8, children: Vec<Self> }
    struct TextTree { value: String, children: Vec<Self> }
}

/// A type, values that clients send for it, and its deserializer.
struct Sent {
    name: &'static str,
    values: Vec<Value>,
    accepts: fn(&Value) -> bool,
    contract: Contract,
}

fn sent<T: DeserializeOwned + JsonSchema + Send + Sync + 'static>(values: Value) -> Sent {
    let zo = Zocket::builder().build();
    let route = zo.message().input::<Input<T>>();
    let contract = zo
        .router()
        .incoming(
            "route",
            route.handle(async |_: Context<()>, _: Input<T>| Ok::<_, Error>(())),
        )
        .contract();
    let Value::Array(values) = values else {
        panic!("expected an array of values")
    };
    let sent = Sent {
        name: type_name::<T>(),
        values: values
            .into_iter()
            .map(|value| json!({ "value": value }))
            .collect(),
        accepts: |value| Input::<T>::deserialize(value).is_ok(),
        contract,
    };
    for value in &sent.values {
        assert!((sent.accepts)(value), "{} does not accept {value}", sent.name);
    }
    sent
}

fn all() -> Vec<Sent> {
    let point = || json!({ "x": 1, "y": 2 });
    vec![
        sent::<()>(json!([null])),
        sent::<bool>(json!([true])),
        sent::<u8>(json!([0, 255])),
        sent::<u32>(json!([0, 70_000])),
        sent::<i8>(json!([-1, 127])),
        sent::<i64>(json!([-1, 1_i64 << 60])),
        sent::<f64>(json!([0.5, -1e30])),
        sent::<char>(json!(["a"])),
        sent::<String>(json!(["", "text"])),
        sent::<Value>(json!([null, 1, "a", [], {}])),
        sent::<Option<u8>>(json!([null, 255])),
        sent::<Option<String>>(json!([null, "a"])),
        sent::<Option<Point>>(json!([null, point()])),
        sent::<Vec<u8>>(json!([[], [1, 255], [1, 2, 3]])),
        sent::<Vec<u32>>(json!([[], [70_000]])),
        sent::<Vec<String>>(json!([[], ["a"]])),
        sent::<Vec<Option<u8>>>(json!([[null], [1, null]])),
        sent::<Vec<Point>>(json!([[], [point()]])),
        sent::<Vec<Named>>(json!([[], [{ "x": 1, "name": "a" }]])),
        sent::<Vec<Vec<u8>>>(json!([[], [[1]]])),
        sent::<BTreeSet<u8>>(json!([[], [1, 2]])),
        sent::<[u8; 2]>(json!([[1, 2]])),
        sent::<[u8; 3]>(json!([[1, 2, 3]])),
        sent::<[String; 2]>(json!([["a", "b"]])),
        sent::<(u8, u8)>(json!([[1, 2]])),
        sent::<(u8, String)>(json!([[1, "a"]])),
        sent::<(String, u8)>(json!([["a", 1]])),
        sent::<(u8, Option<u8>)>(json!([[1, null]])),
        sent::<(u8, u8, u8)>(json!([[1, 2, 3]])),
        sent::<(u32, u8)>(json!([[70_000, 2]])),
        sent::<BTreeMap<String, u8>>(json!([{}, { "x": 1 }, { "a": 1 }])),
        sent::<BTreeMap<String, u32>>(json!([{}, { "a": 70_000 }])),
        sent::<BTreeMap<String, String>>(json!([{}, { "x": "a" }])),
        sent::<BTreeMap<u8, u8>>(json!([{}, { "1": 1 }])),
        sent::<Empty>(json!([{}])),
        sent::<Point>(json!([point()])),
        sent::<Named>(json!([{ "x": 1, "name": "a" }])),
        sent::<Loose>(json!([{ "x": 1 }, point()])),
        sent::<Missing>(json!([{ "x": 1 }, { "x": 1, "y": null }, point()])),
        sent::<Renamed>(json!([{ "X": 1, "y": 2 }])),
        sent::<Closed>(json!([{ "x": 1 }])),
        sent::<ClosedPoint>(json!([point()])),
        sent::<Rest>(json!([{ "x": 1 }, { "x": 1, "a": 70_000 }])),
        sent::<Texts>(json!([{ "x": 1 }, { "x": 1, "a": "b" }])),
        sent::<Within>(json!([{ "point": point() }])),
        sent::<WithinNamed>(json!([{ "point": { "x": 1, "name": "a" } }])),
        sent::<Tuple>(json!([[1, "a"]])),
        sent::<New>(json!([255])),
        sent::<Unit>(json!(["A", "B"])),
        sent::<More>(json!(["A", "B", "C"])),
        sent::<Lower>(json!(["a", "b"])),
        sent::<External>(json!([{ "A": 1 }, { "B": { "x": 1 } }])),
        sent::<ExternalText>(json!([{ "A": "a" }, { "B": { "x": 1 } }])),
        sent::<Internal>(json!([{ "t": "A", "x": 1 }, { "t": "B", "y": 1 }])),
        sent::<InternalText>(json!([{ "t": "A", "x": "a" }, { "t": "B", "y": 1 }])),
        sent::<OtherTag>(json!([{ "kind": "A", "x": 1 }, { "kind": "B", "y": 1 }])),
        sent::<Adjacent>(json!([{ "t": "A", "c": 1 }, { "t": "B", "c": "a" }])),
        sent::<Swapped>(json!([{ "t": "A", "c": "a" }, { "t": "B", "c": 1 }])),
        sent::<Untagged>(json!([1, "a"])),
        sent::<Either>(json!([point(), { "x": 1, "name": "a" }])),
        sent::<Tree>(json!([{ "value": 1, "children": [{ "value": 2, "children": [] }] }])),
        sent::<TextTree>(json!([{ "value": "a", "children": [{ "value": "b", "children": [] }] }])),
    ]
}

#[test]
fn a_change_after_which_old_values_are_refused_is_breaking() {
    let all = all();
    let mut missed = Vec::new();
    for old in &all {
        for new in &all {
            let refused: Vec<_> = old.values.iter().filter(|value| !(new.accepts)(value)).collect();
            let diff = new.contract.diff(&old.contract);
            if let Some(refused) = refused.first()
                && diff.compatibility() != Compatibility::Breaking
            {
                missed.push(format!("{} to {}: {refused}: {diff}", old.name, new.name));
            }
        }
    }
    assert!(
        missed.is_empty(),
        "{} missed:\n{}",
        missed.len(),
        missed.join("\n")
    );
}

#[test]
fn a_type_that_includes_the_old_one_is_not_breaking() {
    for (old, new) in [
        (sent::<u8>(json!([])), sent::<u32>(json!([]))),
        (sent::<u8>(json!([])), sent::<i64>(json!([]))),
        (sent::<i32>(json!([])), sent::<i64>(json!([]))),
        (sent::<u64>(json!([])), sent::<f64>(json!([]))),
        (sent::<()>(json!([])), sent::<Option<u8>>(json!([]))),
        (sent::<()>(json!([])), sent::<Option<Vec<u8>>>(json!([]))),
        (sent::<[u8; 2]>(json!([])), sent::<(u8, u32)>(json!([]))),
        (sent::<(u8, u32)>(json!([])), sent::<Vec<u32>>(json!([]))),
        (sent::<Unit>(json!([])), sent::<String>(json!([]))),
        (
            sent::<BTreeMap<u8, u8>>(json!([])),
            sent::<BTreeMap<String, u32>>(json!([])),
        ),
    ] {
        let diff = new.contract.diff(&old.contract);
        assert_ne!(
            diff.compatibility(),
            Compatibility::Breaking,
            "{} to {}: {diff}",
            old.name,
            new.name
        );
        let back = old.contract.diff(&new.contract);
        assert_eq!(
            back.compatibility(),
            Compatibility::Breaking,
            "{} to {}: {back}",
            new.name,
            old.name
        );
    }
}

#[test]
fn a_bound_that_excludes_a_constant_is_breaking() {
    let text = |bounds: Value| {
        let mut schema = json!({ "type": "string" });
        schema
            .as_object_mut()
            .unwrap()
            .extend(bounds.as_object().unwrap().clone());
        schema
    };
    let constants = json!({ "enum": ["A", "long"], "type": "string" });
    let compatibility = |new: &Value| {
        let contract = |input: &Value| {
            let types = json!({ "input": {}, "output": {} });
            let incoming = json!({ "route": { "input": input, "errors": [] } });
            let contract =
                json!({ "zocket": 1, "headers": {}, "incoming": incoming, "outgoing": {}, "types": types });
            Contract::from_json(&contract.to_string()).unwrap()
        };
        contract(new).diff(&contract(&constants)).compatibility()
    };
    for new in [
        text(json!({ "maxLength": 3 })),
        text(json!({ "minLength": 2 })),
        text(json!({ "pattern": "^A$" })),
        text(json!({ "format": "email" })),
        json!({ "type": "integer" }),
    ] {
        assert_eq!(compatibility(&new), Compatibility::Breaking, "{new}");
    }
    assert_eq!(
        compatibility(&text(json!({ "maxLength": 4 }))),
        Compatibility::Additive
    );
}
