//! Issues of Rust fields, reported with their names on the wire.

use std::collections::BTreeMap;

use garde::Validate;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Checker, refusal};

fn no(_: &str, _: &()) -> garde::Result {
    Err(garde::Error::new("no"))
}

macro_rules! renamed {
    ($case:literal, $wire:expr) => {{
        #[derive(Deserialize, JsonSchema, Validate)]
        #[serde(rename_all = $case)]
        struct Renamed {
            #[garde(custom(no))]
            first_name2: String,
            #[garde(dive)]
            deep_down: Option<Vec<Deep>>,
        }
        #[derive(Deserialize, JsonSchema, Validate)]
        #[serde(rename_all = $case)]
        struct Deep {
            #[garde(custom(no))]
            r#type: String,
        }
        let key = |name: &str| match $case {
            "UPPERCASE" | "SCREAMING_SNAKE_CASE" | "SCREAMING-KEBAB-CASE" => name.to_uppercase(),
            "PascalCase" => name[..1].to_uppercase() + &name[1..],
            _ => name.to_owned(),
        };
        let down = $wire.1;
        let json = serde_json::json!({ $wire.0: "", down: [{ key("type"): "" }] }).to_string();
        let lines = refusal::<Renamed>(json);
        let mut expected = [format!("custom {}: no", $wire.0), format!("custom {down}[0].{}: no", key("type"))];
        expected.sort();
        assert_eq!(lines, expected);
    }};
}

#[test]
fn every_rename_all_is_followed() {
    renamed!("lowercase", ("first_name2", "deep_down"));
    renamed!("UPPERCASE", ("FIRST_NAME2", "DEEP_DOWN"));
    renamed!("PascalCase", ("FirstName2", "DeepDown"));
    renamed!("camelCase", ("firstName2", "deepDown"));
    renamed!("snake_case", ("first_name2", "deep_down"));
    renamed!("SCREAMING_SNAKE_CASE", ("FIRST_NAME2", "DEEP_DOWN"));
    renamed!("kebab-case", ("first-name2", "deep-down"));
    renamed!("SCREAMING-KEBAB-CASE", ("FIRST-NAME2", "DEEP-DOWN"));
}

#[derive(Deserialize, JsonSchema, Validate)]
struct Explicit {
    #[serde(rename = "x-room")]
    #[schemars(extend("x-field" = "room"))]
    #[garde(custom(no))]
    room: String,
    #[serde(rename = "$n")]
    #[garde(length(chars, min = 1))]
    name: String,
    #[serde(rename = "q")]
    #[garde(custom(no))]
    query: String,
    #[serde(rename = "in")]
    #[garde(dive)]
    inner: Option<Within>,
    #[serde(rename = "of")]
    #[schemars(extend("x-field" = "other"))]
    #[garde(dive)]
    other: Option<Within>,
}

#[derive(Deserialize, JsonSchema, Validate)]
struct Within {
    #[garde(custom(no))]
    depth: String,
}

#[test]
fn a_renamed_field_is_matched_by_its_schema_or_its_rule() {
    assert_eq!(
        refusal::<Explicit>(r#"{"x-room":"","$n":"","q":""}"#),
        [
            "custom query: no",
            "custom x-room: no",
            "min_length $n: at least 1 character, got 0"
        ]
    );
}

#[test]
fn a_renamed_struct_is_matched_by_its_fields() {
    let lines = |key: &str| {
        refusal::<Explicit>(format!(
            r#"{{"x-room":"","$n":"a","q":"","{key}":{{"depth":""}}}}"#
        ))
    };
    assert_eq!(lines("in")[0], "custom in.depth: no");
    assert_eq!(lines("of")[0], "custom of.depth: no");
}

#[derive(Deserialize, JsonSchema, Validate)]
struct Flat {
    #[garde(dive)]
    #[serde(flatten)]
    page: Page,
    #[garde(dive)]
    #[serde(flatten)]
    kind: Kind,
    #[garde(dive)]
    #[serde(flatten)]
    rest: BTreeMap<String, Item>,
}

#[derive(Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[garde(range(max = 9))]
    page_size: u8,
}

#[derive(Deserialize, JsonSchema, Validate)]
#[serde(tag = "kind")]
enum Kind {
    A {
        #[garde(length(chars, min = 1))]
        text: String,
    },
    B {
        #[garde(skip)]
        other: u8,
    },
}

#[derive(Deserialize, JsonSchema, Validate)]
struct Item {
    #[garde(range(max = 9))]
    x: u8,
}

#[test]
fn flattened_fields_are_reported_at_their_wire_path() {
    assert_eq!(
        refusal::<Flat>(r#"{"pageSize":10,"kind":"A","text":"","more":{"x":10}}"#),
        [
            "maximum more.x: expected at most 9, got a greater number",
            "maximum pageSize: expected at most 9, got a greater number",
            "min_length text: at least 1 character, got 0",
        ]
    );
    assert_eq!(
        refusal::<Flat>(r#"{"pageSize":"10","kind":"B","other":"","more":{"x":"10"}}"#),
        [
            "type more.x: expected an integer, got a string",
            "type other: expected an integer, got a string",
            "type pageSize: expected an integer, got a string",
        ]
    );
}

#[derive(Deserialize, JsonSchema, Validate)]
struct Wrapped {
    #[garde(dive)]
    tuple: Tuple,
    #[garde(dive)]
    list: List,
    #[garde(dive)]
    through: Through,
}

#[derive(Deserialize, JsonSchema, Validate)]
struct Tuple(#[garde(length(chars, min = 1))] String);

#[derive(Deserialize, JsonSchema, Validate)]
struct List(#[garde(length(max = 1), inner(length(chars, min = 1)))] Vec<String>);

#[derive(Deserialize, JsonSchema, Validate)]
#[garde(transparent)]
#[serde(transparent)]
struct Through(#[garde(custom(no))] String);

#[test]
fn a_newtype_adds_no_path_segment() {
    assert_eq!(
        refusal::<Wrapped>(r#"{"tuple":"","list":["a",""],"through":""}"#),
        [
            "custom through: no",
            "max_items list: at most 1 item, got 2",
            "min_length list[1]: at least 1 character, got 0",
            "min_length tuple: at least 1 character, got 0",
        ]
    );
}

#[test]
fn declared_names_are_the_wire_names() {
    assert_eq!(
        Checker::<Flat>::new().names(),
        ["kind", "other", "pageSize", "text"]
    );
    assert_eq!(
        Checker::<Explicit>::new().names(),
        ["$n", "in", "of", "q", "x-room"]
    );
}

#[test]
fn a_checker_is_clone_and_debug_for_any_input() {
    let checker = Checker::<Explicit>::new();
    assert!(format!("{:?}", checker.clone()).contains("Explicit"));
    assert_eq!(checker.names().len(), 5);
}
