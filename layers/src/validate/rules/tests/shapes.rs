//! Types, members and numbers that serde refuses.

use std::collections::{BTreeMap, HashMap};

use garde::Validate;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{accepts, params, refusal};

#[derive(Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[serde(deny_unknown_fields)]
struct Strict {
    a: u8,
    b: Option<String>,
}

#[derive(Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
struct Lax {
    a: u8,
}

#[test]
fn each_denied_unknown_key_is_reported() {
    assert!(accepts::<Lax>(r#"{"a":1,"x":1}"#));
    assert_eq!(
        refusal::<Strict>(r#"{"a":1,"x":1,"__proto__":{}}"#),
        [
            "unknown_key __proto__: unknown key; expected one of a, b",
            "unknown_key x: unknown key; expected one of a, b"
        ]
    );
}

#[test]
fn a_missing_member_is_named() {
    assert_eq!(
        refusal::<Strict>("{}"),
        ["required a: expected an integer, but it is missing"]
    );
    assert_eq!(
        refusal::<Strict>(r#"{"a":null,"b":1}"#),
        [
            "type a: expected an integer, got null",
            "type b: expected a string or null, got a number"
        ]
    );
}

#[test]
fn a_missing_payload_is_null() {
    assert_eq!(refusal::<Strict>("null"), ["type expected an object, got null"]);
}

#[derive(Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[serde(default)]
#[derive(Default)]
struct Numbers {
    u8: u8,
    i16: i16,
    i32: i32,
    u32: u32,
    i64: i64,
    u64: u64,
    usize: usize,
    f64: f64,
    address: Option<std::net::Ipv4Addr>,
    letter: char,
}

#[test]
fn a_number_out_of_range_reports_the_range_of_its_type() {
    for (json, line) in [
        (
            r#"{"u8":300}"#,
            "maximum u8: expected at most 255, got a greater number",
        ),
        (
            r#"{"u8":-1}"#,
            "minimum u8: expected at least 0, got a smaller number",
        ),
        (
            r#"{"i16":40000}"#,
            "maximum i16: expected at most 32767, got a greater number",
        ),
        (
            r#"{"i32":-3000000000}"#,
            "minimum i32: expected at least -2147483648, got a smaller number",
        ),
        (
            r#"{"u32":4294967296}"#,
            "maximum u32: expected at most 4294967295, got a greater number",
        ),
        (
            r#"{"i64":9223372036854775808}"#,
            "maximum i64: expected at most 9223372036854775807, got a greater number",
        ),
        (
            r#"{"u64":99999999999999999999}"#,
            "maximum u64: expected at most 18446744073709551615, got a greater number",
        ),
        (
            r#"{"i64":-1e30}"#,
            "minimum i64: expected at least -9223372036854775808, got a smaller number",
        ),
        (
            r#"{"usize":-1}"#,
            "minimum usize: expected at least 0, got a smaller number",
        ),
        (r#"{"u8":1.5}"#, "type u8: expected an integer, got a number"),
        (r#"{"u8":1.1}"#, "type u8: expected an integer, got a number"),
        (
            r#"{"f64":1e400}"#,
            "maximum f64: expected at most 1.7976931348623157e308, got a greater number",
        ),
    ] {
        assert_eq!(refusal::<Numbers>(json), [line], "{json}");
    }
    assert_eq!(params::<Numbers>(r#"{"u64":-1}"#), json!({ "min": 0 }));
}

#[test]
fn formats_that_serde_parses_are_reported_as_formats() {
    assert_eq!(
        refusal::<Numbers>(r#"{"address":"x"}"#),
        ["format address: expected text in the format ipv4, got other text"]
    );
    assert_eq!(
        refusal::<Numbers>(r#"{"letter":"ab"}"#),
        ["max_length letter: at most 1 character, got 2"]
    );
}

#[derive(Deserialize, JsonSchema, Validate)]
struct Nested {
    #[garde(inner(inner(length(chars, min = 1))))]
    grid: Vec<Vec<String>>,
    #[garde(skip)]
    pair: (u8, String),
    #[garde(dive)]
    map: BTreeMap<String, Point>,
    #[garde(dive)]
    point: Option<Point>,
    #[garde(skip)]
    ids: HashMap<u32, bool>,
}

#[derive(Deserialize, JsonSchema, Validate)]
struct Point {
    #[garde(range(min = 0))]
    x: i32,
}

#[test]
fn paths_lead_through_arrays_tuples_maps_and_options() {
    assert_eq!(
        refusal::<Nested>(
            r#"{"grid":[["a"],["",1]],"pair":[1,2],"map":{"k":{"x":-1},"l":{}},"point":{"x":"1"},"ids":{"a":true,"1":2}}"#
        ),
        [
            "min_length grid[1][0]: at least 1 character, got 0",
            "minimum map.k.x: expected at least 0, got a smaller number",
            "required map.l.x: expected an integer, but it is missing",
            "type grid[1][1]: expected a string, got a number",
            "type ids.1: expected a boolean, got a number",
            "type pair[1]: expected a string, got a number",
            "type point.x: expected an integer, got a string",
            "unknown_key ids.a: unknown key; only ^\\d+$ is expected",
        ]
    );
    assert_eq!(
        refusal::<Nested>(
            r#"{"grid":[[],["a",""]],"pair":[1,"a"],"map":{"k":{"x":-1}},"point":{"x":-2},"ids":{}}"#
        ),
        [
            "min_length grid[1][1]: at least 1 character, got 0",
            "minimum map.k.x: expected at least 0, got a smaller number",
            "minimum point.x: expected at least 0, got a smaller number",
        ]
    );
    let pair = refusal::<Nested>(r#"{"grid":[],"pair":[1],"map":{},"point":null,"ids":{}}"#);
    assert_eq!(pair, ["min_items pair: at least 2 items, got 1"]);
}

#[derive(Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
struct Own {
    #[serde(deserialize_with = "odd")]
    odd: u8,
    name: Lax,
}

fn odd<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    match u8::deserialize(deserializer)? {
        number if number % 2 == 1 => Ok(number),
        _ => Err(serde::de::Error::custom("only odd numbers")),
    }
}

#[test]
fn serde_errors_are_reported_beside_schema_issues() {
    assert_eq!(
        refusal::<Own>(r#"{"odd":2,"name":{"a":1}}"#),
        ["custom odd: only odd numbers"]
    );
    assert_eq!(
        refusal::<Own>(r#"{"odd":2,"name":{"a":"x"}}"#),
        [
            "custom odd: only odd numbers",
            "type name.a: expected an integer, got a string"
        ]
    );
}

#[test]
fn a_duplicate_key_is_named() {
    assert_eq!(
        refusal::<Strict>(r#"{"a":1,"a":1}"#),
        ["duplicate_key a: expected the key once, got it twice"]
    );
}

#[test]
fn invalid_json_is_a_parse_issue() {
    for bytes in [&b""[..], b"{", b"\xff", b"{\"a\":1}}", b"[1,", b"\0"] {
        let lines = refusal::<Strict>(bytes);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with("parse "), "{lines:?}");
    }
    assert!(accepts::<Strict>(r#"{"a":1,"b":"\u0000"}"#));
}

mod skipped {
    use super::*;

    #[derive(Deserialize, JsonSchema, Validate)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Move {
        #[garde(length(chars, min = 1))]
        piece: String,
        #[garde(skip)]
        castles: bool,
        #[garde(skip)]
        to: (u8, u8),
    }
}

mod unvalidated {
    use super::*;

    #[derive(Deserialize, JsonSchema, Validate)]
    #[garde(allow_unvalidated)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Move {
        #[garde(length(chars, min = 1))]
        piece: String,
        castles: bool,
        to: (u8, u8),
    }
}

#[test]
fn fields_without_rules_are_checked_as_skipped_ones() {
    assert_eq!(
        schemars::schema_for!(unvalidated::Move),
        schemars::schema_for!(skipped::Move)
    );
    let payload = r#"{"piece":"","castles":1,"to":[1,256],"from":[0,0]}"#;
    let issues = refusal::<unvalidated::Move>(payload);
    assert_eq!(issues, refusal::<skipped::Move>(payload));
    assert_eq!(
        issues,
        [
            "maximum to[1]: expected at most 255, got a greater number",
            "min_length piece: at least 1 character, got 0",
            "type castles: expected a boolean, got a number",
            "unknown_key from: unknown key; expected one of castles, piece, to",
        ]
    );
    assert!(accepts::<unvalidated::Move>(
        r#"{"piece":"king","castles":true,"to":[7,1]}"#
    ));
}
