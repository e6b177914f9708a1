//! Inputs that serde accepts and the schema does not know. They add no issue to those of other members.

use std::fmt;

use garde::Validate;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, de};

use super::{accepts, refusal};

#[derive(Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
struct SignUp {
    #[serde(alias = "userName", alias = "login")]
    user_name: String,
    age: u8,
}

#[derive(Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[serde(deny_unknown_fields)]
struct Strict {
    #[serde(alias = "userName")]
    user_name: String,
    #[serde(alias = "years", default)]
    age: Option<u8>,
    #[serde(default, alias = "hue")]
    colour: Option<Colour>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum Colour {
    Red,
    Green,
}

#[test]
fn a_member_under_an_alias_is_neither_missing_nor_unknown() {
    assert!(accepts::<SignUp>(r#"{"userName":"x","age":1}"#));
    let bad_age = ["type age: expected an integer, got a string"];
    assert_eq!(refusal::<SignUp>(r#"{"userName":"x","age":"bad"}"#), bad_age);
    assert_eq!(refusal::<SignUp>(r#"{"age":"bad","login":"x"}"#), bad_age);
    assert_eq!(refusal::<SignUp>(r#"{"age":"bad","Login":"x"}"#).len(), 2);
    assert!(accepts::<Strict>(r#"{"userName":"x","years":1}"#));
    assert_eq!(
        refusal::<Strict>(r#"{"userName":"x","age":"bad"}"#),
        ["type age: expected an integer or null, got a string"]
    );
    assert_eq!(
        refusal::<Strict>(r#"{"userName":"x","years":"bad","other":1}"#),
        [
            "type years: expected an integer or null, got a string",
            "unknown_key other: unknown key; expected one of age, colour, user_name"
        ]
    );
}

#[test]
fn the_value_under_an_alias_is_checked_too() {
    assert_eq!(
        refusal::<SignUp>(r#"{"age":"bad","userName":7}"#),
        [
            "type age: expected an integer, got a string",
            "type userName: expected a string, got a number"
        ]
    );
    assert_eq!(
        refusal::<Strict>(r#"{"userName":"x","years":300,"hue":"blue"}"#),
        [
            "enum hue: expected one of red, green, got another value",
            "maximum years: expected at most 255, got a greater number"
        ]
    );
}

#[derive(Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
struct Outer {
    #[serde(alias = "people")]
    members: Vec<SignUp>,
    #[serde(flatten)]
    flat: Flat,
    shape: Shape,
}

#[derive(Deserialize, JsonSchema)]
struct Flat {
    #[serde(alias = "roomId")]
    room_id: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all_fields = "camelCase")]
enum Shape {
    Circle {
        #[serde(alias = "r")]
        radius: u8,
        #[serde(default)]
        label: String,
    },
    Square {
        side: u8,
    },
}

#[test]
fn aliases_are_found_in_members_flattened_structs_and_variants() {
    let json = r#"{"people":[{"login":"a","age":1},{"login":"b","age":"x"}],"roomId":"r","shape":{"kind":"Circle","r":1}}"#;
    assert_eq!(
        refusal::<Outer>(json),
        ["type people[1].age: expected an integer, got a string"]
    );
    let json = r#"{"members":[],"roomId":"r","shape":{"kind":"Circle","r":1,"label":7}}"#;
    assert_eq!(
        refusal::<Outer>(json),
        ["type shape.label: expected a string, got a number"]
    );
    let json = r#"{"roomId":"r","people":[],"shape":{"kind":"Circle","radius":1,"label":7}}"#;
    assert_eq!(
        refusal::<Outer>(json),
        ["type shape.label: expected a string, got a number"]
    );
    let json = r#"{"members":[],"roomId":7,"shape":{"kind":"Circle","radius":1}}"#;
    assert_eq!(
        refusal::<Outer>(json),
        ["type roomId: expected a string, got a number"]
    );
}

#[test]
fn two_names_of_one_member_are_a_duplicate() {
    assert_eq!(
        refusal::<SignUp>(r#"{"userName":"x","user_name":"x","age":1}"#),
        ["duplicate_key user_name: expected the key once, got it twice"]
    );
}

#[derive(Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
struct Lenient {
    point: Point,
    #[serde(deserialize_with = "number_or_text")]
    #[serde(default)]
    amount: u32,
    #[serde(default)]
    level: Option<Level>,
    patch: Patch,
    age: u8,
}

#[derive(Deserialize, JsonSchema)]
struct Point {
    x: i32,
    y: i32,
}

#[derive(Deserialize, JsonSchema)]
enum Level {
    Low,
    High,
    #[serde(other)]
    Unknown,
}

/// Accepts an absent member, null or a number. Its schema is a number.
struct Patch(Option<u8>);

impl<'de> Deserialize<'de> for Patch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self)
    }
}

impl JsonSchema for Patch {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Patch".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        u8::json_schema(generator)
    }
}

fn number_or_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    struct Either;
    impl de::Visitor<'_> for Either {
        type Value = u32;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a number, or a number as text")
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<u32, E> {
            u32::try_from(number).map_err(E::custom)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<u32, E> {
            text.parse().map_err(E::custom)
        }
    }
    deserializer.deserialize_any(Either)
}

#[test]
fn a_value_that_serde_takes_has_no_issue_of_the_schema() {
    assert!(accepts::<Lenient>(
        r#"{"point":[1,2],"amount":"7","level":"Odd","age":1}"#
    ));
    assert_eq!(
        refusal::<Lenient>(r#"{"age":"bad","point":[1,2],"amount":"7","level":"Odd"}"#),
        ["type age: expected an integer, got a string"]
    );
    assert_eq!(
        refusal::<Lenient>(r#"{"amount":"7","point":[1,2],"patch":null}"#),
        ["required age: expected an integer, but it is missing"]
    );
    // What serde refuses stays.
    assert_eq!(
        refusal::<Lenient>(r#"{"age":"bad","point":[1],"patch":"x","amount":true}"#),
        [
            "type age: expected an integer, got a string",
            "type amount: expected an integer, got a boolean",
            "type patch: expected an integer, got a string",
            "type point: expected an object, got an array"
        ]
    );
}
