//! Enums in all four representations. The issues are those of the branch that the payload is meant for.

use garde::Validate;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{accepts, params, refusal};

macro_rules! shape {
    ($name:ident, $($attribute:tt)*) => {
        #[derive(Deserialize, JsonSchema, Validate)]
        #[serde(rename_all = "camelCase", rename_all_fields = "camelCase", $($attribute)*)]
        enum $name {
            Text {
                #[garde(length(chars, min = 1))]
                line_one: String,
            },
            Area(#[garde(dive)] Area),
            Empty,
        }
    };
}

#[derive(Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
struct Area {
    #[garde(range(min = 1))]
    side_length: u8,
}

shape!(Outside,);
shape!(Inside, tag = "kind");
shape!(Beside, tag = "kind", content = "of");
shape!(Untagged, untagged);

#[derive(Deserialize, JsonSchema, Validate)]
struct In<T: Validate<Context = ()>> {
    #[garde(dive)]
    shape: T,
    #[garde(dive)]
    maybe: Option<T>,
}

const EMPTY: &str = "min_length shape.";

#[test]
fn an_external_tag_leads_to_its_variant() {
    for good in [
        r#"{"shape":"empty"}"#,
        r#"{"shape":{"area":{"sideLength":1}},"maybe":null}"#,
    ] {
        assert!(accepts::<In<Outside>>(good));
    }
    for (json, line) in [
        (
            r#"{"shape":{"text":{"lineOne":""}}}"#,
            format!("{EMPTY}text.lineOne: at least 1 character, got 0"),
        ),
        (
            r#"{"shape":{"text":{"lineOne":1}}}"#,
            "type shape.text.lineOne: expected a string, got a number".into(),
        ),
        (
            r#"{"shape":{"area":{"sideLength":0}}}"#,
            "minimum shape.area.sideLength: expected at least 1, got a smaller number".into(),
        ),
        (
            r#"{"shape":{"area":{}}}"#,
            "required shape.area.sideLength: expected an integer, but it is missing".into(),
        ),
        (
            r#"{"shape":{"circle":1}}"#,
            "enum shape: expected one of empty, text, area, got another name".into(),
        ),
        (
            r#"{"shape":"circle"}"#,
            "enum shape: expected one of empty, got another name".into(),
        ),
        (
            r#"{"shape":"text"}"#,
            "type shape: expected an object, got a string".into(),
        ),
        (
            r#"{"shape":7}"#,
            "type shape: expected a string or an object, got a number".into(),
        ),
        (
            r#"{"shape":"empty","maybe":{"text":{"lineOne":""}}}"#,
            "min_length maybe.text.lineOne: at least 1 character, got 0".into(),
        ),
        (
            r#"{"shape":"empty","maybe":{"text":{"lineOne":1}}}"#,
            "type maybe.text.lineOne: expected a string, got a number".into(),
        ),
    ] {
        assert_eq!(refusal::<In<Outside>>(json), [line], "{json}");
    }
}

#[test]
fn an_internal_tag_leads_to_its_variant() {
    assert!(accepts::<In<Inside>>(
        r#"{"shape":{"kind":"area","sideLength":1}}"#
    ));
    for (json, line) in [
        (
            r#"{"shape":{"kind":"text","lineOne":""}}"#,
            "min_length shape.lineOne: at least 1 character, got 0",
        ),
        (
            r#"{"shape":{"kind":"text","lineOne":1}}"#,
            "type shape.lineOne: expected a string, got a number",
        ),
        (
            r#"{"shape":{"kind":"area","sideLength":0}}"#,
            "minimum shape.sideLength: expected at least 1, got a smaller number",
        ),
        (
            r#"{"shape":{"kind":"area"}}"#,
            "required shape.sideLength: expected an integer, but it is missing",
        ),
        (
            r#"{"shape":{"kind":"circle"}}"#,
            "enum shape.kind: expected one of text, area, empty, got another name",
        ),
        (
            r#"{"shape":{}}"#,
            "required shape.kind: expected a string, but it is missing",
        ),
        (
            r#"{"shape":{"kind":1}}"#,
            "type shape.kind: expected a string, got a number",
        ),
        (
            r#"{"shape":"text"}"#,
            "type shape: expected an object, got a string",
        ),
        (
            r#"{"shape":{"kind":"empty"},"maybe":{"kind":"text","lineOne":""}}"#,
            "min_length maybe.lineOne: at least 1 character, got 0",
        ),
    ] {
        assert_eq!(refusal::<In<Inside>>(json), [line], "{json}");
    }
    assert_eq!(
        params::<In<Inside>>(r#"{"shape":{"kind":"x"}}"#),
        json!({ "allowed": ["text", "area", "empty"] })
    );
}

#[test]
fn an_adjacent_tag_leads_to_its_content() {
    assert!(accepts::<In<Beside>>(
        r#"{"shape":{"kind":"area","of":{"sideLength":1}}}"#
    ));
    for (json, line) in [
        (
            r#"{"shape":{"kind":"text","of":{"lineOne":""}}}"#,
            "min_length shape.of.lineOne: at least 1 character, got 0",
        ),
        (
            r#"{"shape":{"kind":"text","of":{"lineOne":1}}}"#,
            "type shape.of.lineOne: expected a string, got a number",
        ),
        (
            r#"{"shape":{"kind":"area","of":{"sideLength":0}}}"#,
            "minimum shape.of.sideLength: expected at least 1, got a smaller number",
        ),
        (
            r#"{"shape":{"kind":"area"}}"#,
            "required shape.of: expected an object, but it is missing",
        ),
        (
            r#"{"shape":{"kind":"x","of":{}}}"#,
            "enum shape.kind: expected one of text, area, empty, got another name",
        ),
    ] {
        assert_eq!(refusal::<In<Beside>>(json), [line], "{json}");
    }
}

#[test]
fn an_untagged_enum_reports_the_issues_of_the_closest_variant() {
    assert!(accepts::<In<Untagged>>(r#"{"shape":{"sideLength":1}}"#));
    for (json, line) in [
        (
            r#"{"shape":{"lineOne":""}}"#,
            "min_length shape.lineOne: at least 1 character, got 0",
        ),
        (
            r#"{"shape":{"lineOne":1}}"#,
            "type shape.lineOne: expected a string, got a number",
        ),
        (
            r#"{"shape":{"sideLength":0}}"#,
            "minimum shape.sideLength: expected at least 1, got a smaller number",
        ),
        (
            r#"{"shape":true}"#,
            "type shape: expected an object or null, got a boolean",
        ),
        (
            r#"{"shape":{}}"#,
            "union shape: expected one of 2 shapes, got something else",
        ),
    ] {
        assert_eq!(refusal::<In<Untagged>>(json), [line], "{json}");
    }
}

#[derive(Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
struct Choice {
    role: Role,
    maybe: Option<Role>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Role {
    SuperUser,
    Guest,
}

#[test]
fn a_unit_enum_reports_its_allowed_names() {
    assert_eq!(
        refusal::<Choice>(r#"{"role":"x","maybe":"y"}"#),
        [
            "enum maybe: expected one of super_user, guest, got another value",
            "enum role: expected one of super_user, guest, got another value"
        ]
    );
    assert_eq!(
        refusal::<Choice>(r#"{"role":1}"#),
        ["type role: expected a string, got a number"]
    );
}

/// A recursive enum with a tag. Two of its branches contain it again, so a check that tried every branch in place of
/// reading the tag would take twice as long for each level.
#[derive(Deserialize, JsonSchema, Validate)]
#[serde(tag = "op", rename_all = "lowercase")]
enum Tree {
    And {
        #[garde(dive)]
        of: Box<Self>,
    },
    Or {
        #[garde(dive)]
        of: Box<Self>,
    },
    Leaf {
        #[garde(range(max = 9))]
        value: u8,
    },
}

#[test]
fn a_recursive_enum_is_followed_in_linear_time() {
    let deep = |leaf: &str| format!("{}{leaf}{}", r#"{"op":"and","of":"#.repeat(120), "}".repeat(120));
    let lines = refusal::<Tree>(deep(r#"{"op":"leaf","value":"x"}"#));
    let path = vec!["of"; 120].join(".");
    assert_eq!(
        lines,
        [format!("type {path}.value: expected an integer, got a string")]
    );
    let lines = refusal::<Tree>(deep(r#"{"op":"leaf","value":10}"#));
    assert_eq!(
        lines,
        [format!(
            "maximum {path}.value: expected at most 9, got a greater number"
        )]
    );
}

#[derive(Deserialize, JsonSchema, Validate)]
struct Judged {
    #[garde(custom(never), dive)]
    shape: Outside,
}

fn never(_: &Outside, _: &()) -> garde::Result {
    Err(garde::Error::new("never"))
}

#[test]
fn a_rule_on_the_whole_enum_is_reported_at_the_enum() {
    assert_eq!(
        refusal::<Judged>(r#"{"shape":{"text":{"lineOne":""}}}"#),
        [
            "custom shape: never",
            "min_length shape.text.lineOne: at least 1 character, got 0"
        ]
    );
}

#[derive(Deserialize, JsonSchema, Validate)]
enum Same {
    #[serde(rename = "text")]
    Text {
        #[garde(length(chars, min = 1))]
        text: String,
    },
    #[serde(rename = "pair")]
    Pair(#[garde(range(min = 1))] u8, #[garde(range(min = 1))] u8),
    #[serde(rename = "one")]
    One(#[garde(range(min = 1))] u8),
}

#[test]
fn a_variant_and_its_field_may_have_one_name() {
    assert_eq!(
        refusal::<Same>(r#"{"text":{"text":""}}"#),
        ["min_length text.text: at least 1 character, got 0"]
    );
    assert_eq!(
        refusal::<Same>(r#"{"pair":[1,0]}"#),
        ["minimum pair[1]: expected at least 1, got a smaller number"]
    );
    assert_eq!(
        refusal::<Same>(r#"{"one":0}"#),
        ["minimum one: expected at least 1, got a smaller number"]
    );
}
