//! Rules of garde, reported with the code and the parameters of the schema.

use garde::Validate;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{accepts, params, refusal};
use crate::normalize::{Normalized, Trim, Trimmed, TrimmedLowercased, Uppercase};

#[derive(Deserialize, JsonSchema, Validate)]
#[serde(default)]
struct Rules {
    #[garde(length(chars, min = 1, max = 3))]
    text: String,
    #[garde(length(min = 1, max = 2), inner(length(chars, min = 2)))]
    list: Vec<String>,
    #[garde(range(min = 1, max = 10))]
    int: i32,
    #[garde(range(min = 0.5))]
    float: f64,
    #[garde(pattern("^[a-z]+$"))]
    slug: String,
    #[garde(email)]
    email: String,
    #[garde(url)]
    url: String,
    #[garde(ip)]
    ip: String,
    #[garde(contains("a.b"))]
    has: String,
    #[garde(prefix("x-"))]
    prefix: String,
    #[garde(ascii)]
    ascii: String,
    #[garde(length(chars, min = 2))]
    optional: Option<String>,
    #[garde(custom(is_even))]
    even: i32,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            text: "a".into(),
            list: vec!["ab".into()],
            int: 1,
            float: 1.0,
            slug: "a".into(),
            email: "a@b.org".into(),
            url: "http://b.org".into(),
            ip: "::1".into(),
            has: "a.b".into(),
            prefix: "x-".into(),
            ascii: "a".into(),
            optional: None,
            even: 2,
        }
    }
}

fn is_even(number: &i32, _: &()) -> garde::Result {
    if number % 2 == 0 {
        Ok(())
    } else {
        Err(garde::Error::new("not even"))
    }
}

const TABLE: [(&str, &str, &str); 19] = [
    (
        r#"{"text":""}"#,
        "min_length text: at least 1 character, got 0",
        r#"{"min":1}"#,
    ),
    (
        r#"{"text":"äöüß"}"#,
        "max_length text: at most 3 characters, got 4",
        r#"{"max":3}"#,
    ),
    (
        r#"{"list":[]}"#,
        "min_items list: at least 1 item, got 0",
        r#"{"min":1}"#,
    ),
    (
        r#"{"list":["ab","ab","ab"]}"#,
        "max_items list: at most 2 items, got 3",
        r#"{"max":2}"#,
    ),
    (
        r#"{"list":["ab","a"]}"#,
        "min_length list[1]: at least 2 characters, got 1",
        r#"{"min":2}"#,
    ),
    (
        r#"{"int":0}"#,
        "minimum int: expected at least 1, got a smaller number",
        r#"{"min":1}"#,
    ),
    (
        r#"{"int":11}"#,
        "maximum int: expected at most 10, got a greater number",
        r#"{"max":10}"#,
    ),
    (
        r#"{"float":0.4}"#,
        "minimum float: expected at least 0.5, got a smaller number",
        r#"{"min":0.5}"#,
    ),
    (
        r#"{"slug":"A"}"#,
        "pattern slug: expected text that matches ^[a-z]+$, got other text",
        r#"{"pattern":"^[a-z]+$"}"#,
    ),
    (
        r#"{"email":"a"}"#,
        "email email: expected an e-mail address, got other text",
        "{}",
    ),
    (
        r#"{"email":"\"a b\"@b.org"}"#,
        "email email: expected an e-mail address, got other text",
        "{}",
    ),
    (
        r#"{"url":"/a"}"#,
        "url url: expected an absolute URL, got other text",
        "{}",
    ),
    (
        r#"{"ip":"::x"}"#,
        r#"format ip: expected text in the format ip, got other text"#,
        r#"{"format":"ip"}"#,
    ),
    (
        r#"{"has":"ab"}"#,
        r"pattern has: expected text that matches a\.b, got other text",
        r#"{"pattern":"a\\.b"}"#,
    ),
    (
        r#"{"prefix":"y"}"#,
        r#"custom prefix: value does not begin with "x-""#,
        "{}",
    ),
    (r#"{"ascii":"ä"}"#, "custom ascii: not ascii", "{}"),
    (
        r#"{"optional":"a"}"#,
        "min_length optional: at least 2 characters, got 1",
        r#"{"min":2}"#,
    ),
    (r#"{"even":1}"#, "custom even: not even", "{}"),
    (
        r#"{"int":"1"}"#,
        "type int: expected an integer, got a string",
        r#"{"actual":"string","expected":"integer"}"#,
    ),
];

#[test]
fn each_rule_has_its_code_its_sentence_and_its_parameters() {
    assert!(accepts::<Rules>("{}"));
    for (json, line, expected) in TABLE {
        assert_eq!(refusal::<Rules>(json), [line]);
        let expected: Value = serde_json::from_str(expected).unwrap();
        assert_eq!(params::<Rules>(json), expected, "{json}");
    }
}

#[test]
fn all_broken_rules_are_reported_together() {
    let all = r#"{"text":"","list":["a","a","a"],"int":0,"email":"","even":1,"optional":"a"}"#;
    assert_eq!(
        refusal::<Rules>(all),
        [
            "custom even: not even",
            "email email: expected an e-mail address, got other text",
            "max_items list: at most 2 items, got 3",
            "min_length list[0]: at least 2 characters, got 1",
            "min_length list[1]: at least 2 characters, got 1",
            "min_length list[2]: at least 2 characters, got 1",
            "min_length optional: at least 2 characters, got 1",
            "min_length text: at least 1 character, got 0",
            "minimum int: expected at least 1, got a smaller number",
        ]
    );
}

#[test]
fn a_wrong_type_does_not_hide_other_issues() {
    assert_eq!(
        refusal::<Rules>(r#"{"text":"","int":true,"email":"a"}"#),
        [
            "email email: expected an e-mail address, got other text",
            "min_length text: at least 1 character, got 0",
            "type int: expected an integer, got a boolean",
        ]
    );
}

#[derive(Deserialize, JsonSchema, Validate)]
struct Bytes {
    #[garde(length(min = 4, max = 5))]
    text: String,
}

#[test]
fn garde_checks_lengths_in_bytes() {
    assert!(accepts::<Bytes>(r#"{"text":"éé"}"#), "four bytes, two characters");
    assert_eq!(
        refusal::<Bytes>(r#"{"text":"ééé"}"#),
        ["custom text: length is greater than 5"]
    );
    assert_eq!(
        refusal::<Bytes>(r#"{"text":"é"}"#),
        ["min_length text: at least 4 characters, got 1"]
    );
}

#[derive(Deserialize, JsonSchema, Validate)]
#[garde(custom(in_order))]
#[serde(rename_all = "camelCase")]
struct Span {
    #[garde(skip)]
    first_day: u8,
    #[garde(custom(after(&self.first_day)))]
    last_day: u8,
}

fn in_order(span: &Span, _: &()) -> garde::Result {
    if span.first_day <= span.last_day {
        Ok(())
    } else {
        Err(garde::Error::new("ends before it begins"))
    }
}

fn after(first: &u8) -> impl FnOnce(&u8, &()) -> garde::Result + '_ {
    move |last, ()| {
        if last >= first {
            Ok(())
        } else {
            Err(garde::Error::new("before the first day"))
        }
    }
}

#[test]
fn rules_across_fields_are_reported_at_their_field() {
    assert_eq!(
        refusal::<Span>(r#"{"firstDay":2,"lastDay":1}"#),
        [
            "custom ends before it begins",
            "custom lastDay: before the first day"
        ]
    );
}

#[derive(Debug, Deserialize, JsonSchema, Validate)]
struct Clean {
    #[garde(length(chars, min = 1, max = 4), pattern("^[a-z ]+$"))]
    name: TrimmedLowercased,
    #[garde(email)]
    email: Option<Trimmed>,
    #[garde(inner(length(chars, min = 1), ascii, alphanumeric))]
    #[serde(default)]
    tags: Vec<Normalized<(Trim, Uppercase)>>,
    #[garde(url, contains("b"), prefix("http"), suffix("org"))]
    #[serde(default = "home")]
    home: Trimmed,
    #[garde(skip)]
    #[serde(default)]
    age: u8,
}

fn home() -> Trimmed {
    "http://b.org".into()
}

#[test]
fn rules_see_the_cleaned_text() {
    assert!(accepts::<Clean>(
        r#"{"name":"  ABCD ","email":" a@b.org","tags":[" a "],"home":" https://b.org "}"#
    ));
    assert_eq!(
        refusal::<Clean>(r#"{"name":" \t","email":"a","tags":["a"," "],"home":"x"}"#),
        [
            "custom home: does not end with \"org\"",
            "custom home: value does not begin with \"http\"",
            "email email: expected an e-mail address, got other text",
            "min_length name: at least 1 character, got 0",
            "min_length tags[1]: at least 1 character, got 0",
            "pattern home: expected text that matches b, got other text",
            "pattern name: expected text that matches ^[a-z ]+$, got other text",
            "url home: expected an absolute URL, got other text",
        ]
    );
}

#[test]
fn texts_are_normalised_before_the_schema_check() {
    assert_eq!(
        refusal::<Clean>(r#"{"name":"   ","email":" a@b.org ","tags":["  "],"age":"old"}"#),
        [
            "min_length name: at least 1 character, got 0",
            "min_length tags[0]: at least 1 character, got 0",
            "pattern name: expected text that matches ^[a-z ]+$, got other text",
            "type age: expected an integer, got a string",
        ]
    );
}

#[test]
fn the_schema_of_a_cleaned_text_names_its_normalisers_and_keeps_gardes_rules() {
    let schema = schemars::schema_for!(Clean).to_value();
    assert_eq!(
        schema["properties"]["name"],
        serde_json::json!({"type": "string", "x-normalize": ["trim", "lowercase"], "minLength": 1, "maxLength": 4,
            "pattern": "^[a-z ]+$"})
    );
    assert_eq!(schema["properties"]["email"]["format"], "email");
    assert_eq!(schema["properties"]["tags"]["items"]["minLength"], 1);
    assert!(schema.get("$defs").is_none());
}
