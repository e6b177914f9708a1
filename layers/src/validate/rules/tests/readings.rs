//! Payloads that serde_json reads in another way than JSON Schema: integers with a fraction, lone surrogates.

use std::collections::BTreeMap;

use garde::Validate;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Checker, accepts, refusal};

#[derive(Debug, PartialEq, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
struct Order {
    count: u8,
    #[serde(default)]
    balance: i64,
    #[serde(default)]
    large: u64,
    #[serde(default)]
    each: Vec<Option<u32>>,
    #[serde(default)]
    by_key: BTreeMap<String, i16>,
    #[serde(flatten)]
    flat: Flat,
    #[serde(default)]
    shape: Option<Shape>,
    #[serde(default)]
    price: f64,
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
struct Flat {
    #[serde(default)]
    inner: u8,
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(tag = "kind")]
enum Shape {
    Square { side: u8 },
}

fn order(json: &str) -> Order {
    Checker::<Order>::new().check(json.as_bytes()).unwrap()
}

#[test]
fn an_integer_may_be_written_with_a_fraction_of_zero_or_an_exponent() {
    for json in [
        r#"{"count":3.0,"balance":-1e2,"large":1e19,"each":[1.0,null,20e-1],"by_key":{"a":-5.00},"inner":7.0,"shape":{"kind":"Square","side":0.2e1},"price":2.0}"#,
        r#"{"count":3,"balance":-100,"large":10000000000000000000,"each":[1,null,2],"by_key":{"a":-5},"inner":7,"shape":{"kind":"Square","side":2},"price":2}"#,
    ] {
        let shape = Some(Shape::Square { side: 2 });
        let expected = Order {
            count: 3,
            balance: -100,
            large: 10_000_000_000_000_000_000,
            each: vec![Some(1), None, Some(2)],
            by_key: BTreeMap::from([("a".to_owned(), -5)]),
            flat: Flat { inner: 7 },
            shape,
            price: 2.0,
        };
        assert_eq!(order(json), expected);
    }
}

#[test]
fn an_integer_with_a_fraction_keeps_its_range_and_adds_no_issue() {
    assert_eq!(
        refusal::<Order>(r#"{"count":2.56e2}"#),
        ["maximum count: expected at most 255, got a greater number"]
    );
    assert_eq!(
        refusal::<Order>(r#"{"count":1.5,"balance":1e2,"price":"x"}"#),
        [
            "type count: expected an integer, got a number",
            "type price: expected a number, got a string"
        ]
    );
}

#[derive(Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
struct Note {
    text: String,
    #[serde(default)]
    list: Vec<String>,
    #[serde(default)]
    map: BTreeMap<String, u8>,
    #[serde(default)]
    #[garde(range(max = 3))]
    number: u8,
    #[serde(default)]
    colour: Option<Colour>,
}

#[derive(Deserialize, JsonSchema)]
enum Colour {
    Red,
    Green,
}

const LONE: &str = "expected text in Unicode, got half of a character (a lone surrogate)";

#[test]
fn a_lone_surrogate_is_reported_at_its_place_with_the_other_issues() {
    assert_eq!(
        refusal_of(r#"{"text":"a\ud83d"}"#),
        [format!("encoding text: {LONE}")]
    );
    assert_eq!(
        refusal_of(r#"{"text":"\ud83d\ude00","list":["a","\udE00\ud83d"],"number":"x"}"#),
        [
            format!("encoding list[1]: {LONE}"),
            "type number: expected an integer, got a string".to_owned()
        ]
    );
    // A constraint of another member, and a member that is missing.
    assert_eq!(
        refusal_of(r#"{"text":"\uD83D\\ude00","number":4}"#),
        [
            format!("encoding text: {LONE}"),
            "maximum number: expected at most 3, got a greater number".to_owned()
        ]
    );
    assert_eq!(
        refusal_of(r#"{"list":["\ud83dx"],"colour":"\ud83d"}"#),
        [
            format!("encoding colour: {LONE}"),
            format!("encoding list[0]: {LONE}"),
            "required text: expected a string, but it is missing".to_owned()
        ]
    );
    assert_eq!(
        refusal_of(r#"{"text":"","map":{"\ud83d":1}}"#),
        [format!("encoding map.\u{fffd}: {LONE}")]
    );
}

/// Returns the issues of a `Note`, of JSON that is no `serde_json::Value`.
fn refusal_of(json: &str) -> Vec<String> {
    refusal::<Note>(json)
}

#[test]
fn a_lone_surrogate_in_a_member_that_is_ignored_is_accepted() {
    assert!(accepts::<Note>(r#"{"text":"\ud83d\ude00","more":["\ud83d"]}"#));
    assert!(accepts::<Note>(r#"{"text":"","more":"\ude00","number":3.0}"#));
}

#[test]
fn many_lone_surrogates_are_as_many_issues_as_are_reported() {
    let json = format!(r#"{{"text":"","list":[{}"a"]}}"#, r#""\ud83d","#.repeat(150));
    assert_eq!(refusal_of(&json).len(), 100);
}

#[derive(Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
struct Drawing {
    radius: u8,
    #[serde(default)]
    name: String,
    #[serde(default)]
    figure: Option<Figure>,
    #[serde(default)]
    scale: Option<f64>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(tag = "kind")]
enum Figure {
    Circle { radius: u8, label: String },
}

/// The same with the feature `arbitrary_precision` of serde_json, under which a number is a map to serde.
#[test]
fn a_number_that_does_not_fit_has_its_path_and_hides_no_other_issue() {
    let radius = "type radius: expected an integer, got a number";
    assert_eq!(refusal::<Drawing>(r#"{"radius":1.5}"#), [radius]);
    assert_eq!(
        refusal::<Drawing>(r#"{"radius":1.5,"name":7,"scale":1.5}"#),
        ["type name: expected a string, got a number", radius]
    );
    assert_eq!(
        refusal::<Drawing>(r#"{"radius":-1,"name":7}"#),
        [
            "minimum radius: expected at least 0, got a smaller number",
            "type name: expected a string, got a number"
        ]
    );
    assert_eq!(
        refusal::<Drawing>(r#"{"radius":3.0,"figure":{"kind":"Circle","radius":1.5,"label":7},"name":"a"}"#),
        [
            "type figure.label: expected a string, got a number",
            "type figure.radius: expected an integer, got a number"
        ]
    );
    assert_eq!(
        refusal::<Drawing>(r#"{"radius":"\ud83d","scale":"1.5","name":-1e400}"#),
        [
            format!("encoding radius: {LONE}").as_str(),
            "minimum name: expected at least -1.7976931348623157e308, got a smaller number",
            "type scale: expected a number or null, got a string"
        ]
    );
}

#[test]
fn a_number_that_no_float_can_hold_has_its_path_and_hides_no_other_issue() {
    assert_eq!(
        refusal::<Drawing>(r#"{"radius":1,"scale":1e400,"name":7}"#),
        [
            "maximum scale: expected at most 1.7976931348623157e308, got a greater number",
            "type name: expected a string, got a number"
        ]
    );
    assert!(accepts::<Drawing>(r#"{"radius":1.0,"ignored":[1e999,"\ud83d"]}"#));
}
