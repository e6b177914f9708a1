//! The comment about 64-bit integers stands at each place of the client's types that has such an integer.

use std::collections::{BTreeMap, HashMap};

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zocket::{Context, Outgoing, Zocket};

#[derive(Serialize, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
struct Large {
    plain: u64,
    option: Option<i64>,
    list: Vec<u64>,
    lists: Vec<Vec<Option<i64>>>,
    array: [u64; 2],
    tuple: (String, i64),
    map: BTreeMap<String, u64>,
    by_number: HashMap<u8, Vec<i64>>,
    maybe: Option<Vec<u64>>,
    boxed: Box<Option<(bool, [i64; 3])>>,
    size: usize,
    offset: isize,
    wide: Vec<u128>,
    nonzero: std::num::NonZeroU64,
    either: Either,
    id: Id,
    ids: Vec<Id>,
}

#[derive(Serialize, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
struct Small {
    byte: u8,
    bytes: Vec<u8>,
    float: f64,
    keys: BTreeMap<u64, String>,
    text: Option<String>,
    pair: (u32, i16),
    nested: Vec<Large>,
}

#[derive(Serialize, Deserialize, JsonSchema, Validate)]
#[serde(untagged)]
#[garde(allow_unvalidated)]
enum Either {
    Text(String),
    Numbers(Vec<u64>),
}

#[derive(Serialize, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
struct Id(u64);

#[derive(Deserialize, JsonSchema, Validate)]
#[serde(transparent)]
#[garde(allow_unvalidated)]
struct Numbers(#[allow(dead_code, reason = "only its schema is used")] Vec<u64>);

/// Ids of all.
#[derive(Serialize, JsonSchema)]
struct Ids(Vec<u64>);

impl Outgoing for Ids {
    const TYPE: &'static str = "ids";
}

#[derive(Serialize, JsonSchema)]
#[serde(transparent)]
struct Total(BTreeMap<String, u64>);

impl Outgoing for Total {
    const TYPE: &'static str = "total";
}

fn typescript() -> String {
    let zo = Zocket::builder().build();
    let message = zo.message();
    let router = zo
        .router()
        .outgoing::<Ids>()
        .outgoing::<Total>()
        .incoming(
            "large",
            message
                .clone()
                .input::<Large>()
                .handle(async |_: Context<()>, large: Large| Ok(large)),
        )
        .incoming(
            "small",
            message
                .clone()
                .input::<Small>()
                .handle(async |_: Context<()>, small: Small| Ok(small)),
        )
        .incoming(
            "sum",
            message
                .clone()
                .doc("Adds.")
                .input::<Numbers>()
                .handle(async |_: Context<()>, _: Numbers| Ok(())),
        )
        .incoming(
            "count",
            message.clone().handle(async |_: Context<()>| Ok(Some(1_i64))),
        )
        .incoming("pair", message.handle(async |_: Context<()>| Ok((1_u8, "x"))));
    router.contract().typescript()
}

/// Returns the lines of the comment above a line.
fn comment_of<'a>(text: &'a str, line: &str) -> String {
    let lines: Vec<&'a str> = text.lines().collect();
    let at = lines.iter().position(|other| other.trim().starts_with(line));
    let at = at.unwrap_or_else(|| panic!("no line begins with {line} in\n{text}"));
    let is_comment =
        |line: &&&str| line.trim_start().starts_with('*') || line.trim_start().starts_with("/**");
    lines[..at].iter().rev().take_while(is_comment).copied().collect()
}

#[test]
fn every_member_with_a_64_bit_integer_at_any_depth_says_so() {
    let text = typescript();
    for member in [
        "plain",
        "option",
        "list",
        "lists",
        "array",
        "tuple",
        "map",
        "by_number",
        "maybe",
        "boxed",
        "size",
        "offset",
        "nonzero",
        "wide",
    ] {
        let comment = comment_of(&text, member);
        assert!(comment.contains("2^53"), "{member}: {comment}");
    }
    for line in ["export type Id =", "export type Ids =", "export type Either ="] {
        let comment = comment_of(&text, line);
        assert!(comment.contains("2^53"), "{line}: {comment}");
    }
    assert!(comment_of(&text, "wide").contains("128-bit"));
}

#[test]
fn every_call_and_event_with_a_64_bit_integer_says_so() {
    let text = typescript();
    for line in [
        "readonly sum:",
        "readonly count:",
        "readonly ids:",
        "readonly total:",
    ] {
        let comment = comment_of(&text, line);
        assert!(comment.contains("2^53"), "{line}: {comment}");
    }
    assert!(comment_of(&text, "readonly sum:").contains("Adds."));
    assert!(comment_of(&text, "readonly ids:").contains("Ids of all."));
}

#[test]
fn other_numbers_have_no_such_comment() {
    let text = typescript();
    for line in [
        "byte",
        "bytes",
        "float",
        "keys",
        "text",
        "pair",
        "nested",
        "readonly pair:",
        "readonly large:",
        "readonly small:",
    ] {
        let comment = comment_of(&text, line);
        assert!(!comment.contains("2^53"), "{line}: {comment}");
    }
    for line in ["export interface Large", "export interface Small"] {
        assert_eq!(comment_of(&text, line), "", "{line}");
    }
}
