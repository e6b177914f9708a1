//! Types that schemars takes for one are refused: it identifies a type by its module and its name after renaming.

use std::collections::BTreeMap;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zocket::{Context, Outgoing, Router, Zocket};

fn app() -> Zocket {
    Zocket::builder().build()
}

types! {
    struct Note { text: String }
    #[serde(rename = "Note")] struct Row { row: u8 }
    struct Pair { note: Note, row: Row }
    struct Optional { note: Note, row: Option<Row> }
    struct Deep { note: Vec<Note>, rows: BTreeMap<String, Vec<Row>> }
    struct Same { note: Note, again: Note, maybe: Option<Note>, list: Vec<Note> }
    #[schemars(rename = "Count")] struct Small { count: u8 }
    #[schemars(rename = "Count")] struct Text { count: String }
    struct Counts { small: Small, text: Text }
    // The name while parsing is the schema's in both directions.
    #[serde(rename(serialize = "Sent", deserialize = "Received"))] struct Split { split: u8 }
    struct Received { received: u8 }
    struct Both { split: Split, received: Received }
    // The same members, with other rules.
    #[serde(rename = "Tag")] struct Short { #[garde(length(max = 5))] text: String }
    #[serde(rename = "Tag")] struct Long { #[garde(length(max = 7))] text: String }
    struct Tags { short: Option<Short>, long: Vec<Long> }
    // A type with rules, to which a field adds others, and types that schemars writes differently in place.
    struct Word { #[garde(length(min = 1))] word: String }
    struct Words { #[schemars(extend("x-more" = 1))] one: Word, two: Option<Box<Word>>, by_word: BTreeMap<String, Option<Word>>, #[serde(flatten)] three: Word }
}

#[derive(Serialize, Deserialize, JsonSchema, Validate, PartialEq, Eq, PartialOrd, Ord)]
#[garde(allow_unvalidated)]
enum Kind {
    One,
    Two,
}

#[derive(Serialize, Deserialize, JsonSchema, Validate, PartialEq, Eq, PartialOrd, Ord)]
#[garde(allow_unvalidated)]
struct Key(Kind);

#[derive(Serialize, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[serde(tag = "t")]
enum Tagged {
    Word(Word),
    Tree(Tree),
    Nothing,
    Own { key: Key },
}

#[derive(Serialize, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[serde(untagged)]
enum Untagged {
    Tagged(Tagged),
    Tree(Option<Tree>),
    Number(u64),
}

#[derive(Serialize, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
#[serde(deny_unknown_fields)]
struct Tree {
    children: Vec<Self>,
    /// With a comment.
    parent: Option<Box<Self>>,
    #[serde(default)]
    key: Option<Key>,
}

/// Types that schemars writes differently in place.
#[derive(Serialize, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
struct Tricky {
    by_key: BTreeMap<Key, Word>,
    by_kind: BTreeMap<Kind, Vec<Tree>>,
    tagged: Option<Tagged>,
    untagged: Untagged,
    pair: (Key, Option<Untagged>),
    result: Result<Word, Tree>,
    #[serde(flatten)]
    more: Tagged,
    #[serde(flatten)]
    rest: BTreeMap<String, Word>,
}

#[test]
fn types_that_schemars_writes_differently_in_place_are_accepted() {
    let zo = app();
    let procedure = zo
        .message()
        .input::<Tricky>()
        .handle(async |_: Context<()>, tricky: Tricky| Ok(tricky));
    zo.router().incoming("tricky", procedure).into_service().unwrap();
}

#[derive(Serialize, JsonSchema)]
#[serde(rename = "Outer")]
struct Inner {
    inner: u8,
}

#[derive(Serialize, JsonSchema)]
struct Outer {
    nested: Option<Inner>,
}

fn in_function() -> Router<()> {
    #[derive(Serialize, JsonSchema)]
    #[serde(rename = "Note")]
    #[allow(dead_code, reason = "only its schema is used")]
    enum Choice {
        Yes,
        No { reason: String },
    }
    #[derive(Serialize, JsonSchema)]
    struct Local {
        note: Note,
        choice: Choice,
    }
    events!(app(); "local": Local)
}

#[track_caller]
fn assert_refused(router: &dyn Fn() -> Router<()>, name: &str) {
    let refused = app_of(router);
    let says = [format!("`{name}`"), "rename".to_owned(), "two".to_owned()];
    for words in says {
        assert!(refused.contains(&words), "{words} is not in {refused}");
    }
}

/// Returns the problems of a router. The contract, which would lack one of the types, is refused as well.
#[track_caller]
fn app_of(router: &dyn Fn() -> Router<()>) -> String {
    let refused = router()
        .into_service()
        .expect_err("two types are one")
        .to_string();
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| router().contract())).unwrap_err();
    let message = panic.downcast::<String>().unwrap();
    assert!(
        refused.contains(message.lines().last().unwrap()),
        "{message}\n{refused}"
    );
    refused
}

#[test]
fn two_types_that_schemars_takes_for_one_are_refused_with_their_name() {
    assert_refused(&|| events!(app(); "pair": Pair), "Note");
    assert_refused(&|| events!(app(); "optional": Optional), "Note");
    assert_refused(&|| events!(app(); "deep": Deep), "Note");
    assert_refused(&|| events!(app(); "counts": Counts), "Count");
    assert_refused(&|| events!(app(); "outer": Outer), "Outer");
    assert_refused(&|| events!(app(); "both": Both), "Received");
    assert_refused(&|| events!(app(); "tags": Tags), "Tag");
    assert_refused(&in_function, "Note");
}

#[test]
fn one_type_in_several_places_is_accepted() {
    let contract = events!(app(); "same": Same).contract();
    assert_eq!(contract.types.output.keys().collect::<Vec<_>>(), ["Note", "Same"]);
    assert!(
        events!(app(); "same": Same, "words": Words)
            .into_service()
            .is_ok()
    );
    let zo = app();
    let procedure = zo
        .message()
        .input::<Words>()
        .handle(async |_: Context<()>, words: Words| Ok(words));
    zo.router().incoming("words", procedure).into_service().unwrap();
}

#[test]
fn types_that_refer_to_each_other_often_are_accepted_quickly() {
    // Written out in place, the type at the top would have 4^24 members.
    macro_rules! tower {
        ($first:ident) => {
            types! { struct $first { end: u8 } }
        };
        ($first:ident $second:ident $($more:ident)*) => {
            types! { struct $first { a: $second, b: Option<$second>, c: Vec<$second>, d: BTreeMap<String, $second> } }
            tower!($second $($more)*);
        };
    }
    tower!(A B C D E F G H I J K L M N O P Q R S T U V W X);
    let contract = events!(app(); "tower": A).contract();
    assert_eq!(contract.types.output.len(), 24);
}
