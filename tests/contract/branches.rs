//! Changes within references with further keywords, and within several unions at once.

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zocket::{Context, Contract, Error, Outgoing, Zocket, contract::Compatibility};

macro_rules! contract {
    ($($item:item)*) => {{
        $(
            #[derive(Serialize, JsonSchema)]
            #[allow(dead_code, reason = "only its schema is used")]
            $item
        )*
        impl Outgoing for Event {
            const TYPE: &'static str = "event";
        }
        let zo = Zocket::builder().build();
        zo.router().outgoing::<Event>().contract()
    }};
}

/// Asserts that a change of an event breaks clients, and that its reverse does not.
#[track_caller]
fn assert_wider(old: &Contract, new: &Contract, word: &str) {
    let diff = new.diff(old);
    assert_eq!(diff.compatibility(), Compatibility::Breaking, "{diff}");
    assert!(diff.to_string().contains(word), "{diff}");
    let back = old.diff(new);
    assert_eq!(back.compatibility(), Compatibility::Additive, "{back}");
    assert!(new.diff(new).is_empty(), "{}", new.diff(new));
}

#[test]
fn a_new_variant_with_a_named_type_is_a_change() {
    let old = contract! {
        struct Inner { a: u8 }
        #[serde(tag = "kind")] enum Event { One(Inner), Two(Inner) }
    };
    let new = contract! {
        struct Inner { a: u8 }
        #[serde(tag = "kind")] enum Event { One(Inner), Two(Inner), Three(Inner) }
    };
    assert_wider(&old, &new, "kind \"Three\"");
}

#[test]
fn a_change_in_one_of_two_flattened_enums_is_a_change() {
    let old = contract! {
        #[serde(tag = "kind")] enum Kind { A { a: u8 }, B }
        #[serde(tag = "mode")] enum Mode { On, Off }
        struct Event { #[serde(flatten)] kind: Kind, #[serde(flatten)] mode: Mode }
    };
    let new = contract! {
        #[serde(tag = "kind")] enum Kind { A { a: u8 }, B }
        #[serde(tag = "mode")] enum Mode { On, Off, Idle }
        struct Event { #[serde(flatten)] kind: Kind, #[serde(flatten)] mode: Mode }
    };
    assert_wider(&old, &new, "Idle");
    let other = contract! {
        #[serde(tag = "kind")] enum Kind { A { a: Option<u8> }, B }
        #[serde(tag = "mode")] enum Mode { On, Off }
        struct Event { #[serde(flatten)] kind: Kind, #[serde(flatten)] mode: Mode }
    };
    assert_wider(&old, &other, "a may now be");
}

#[test]
fn a_change_of_a_type_with_keywords_beside_its_reference_is_a_change() {
    let old = contract! {
        struct Inner { a: u8 }
        struct Event { /** With a comment. */ inner: Inner, #[serde(skip_serializing_if = "Vec::is_empty")] list: Vec<Inner> }
    };
    let new = contract! {
        struct Inner { a: Option<u8> }
        struct Event { /** With a comment. */ inner: Inner, #[serde(skip_serializing_if = "Vec::is_empty")] list: Vec<Inner> }
    };
    assert_wider(&old, &new, "inner.a may now be null");
}

/// schemars writes `unevaluatedProperties` for a type with flattened fields that denies unknown ones.
macro_rules! inputs {
    ($(#[$attribute:meta])* { $($field:tt)* }) => {{
        #[derive(Deserialize, JsonSchema, Validate)]
        #[garde(allow_unvalidated)]
        #[allow(dead_code, reason = "only its schema is used")]
        $(#[$attribute])*
        struct Post { $($field)* }
        let zo = Zocket::builder().build();
        let post = zo.message().input::<Post>().handle(async |_: Context, _: Post| Ok::<_, Error>(()));
        zo.router().incoming("post", post).contract()
    }};
}

#[derive(Deserialize, JsonSchema)]
#[serde(tag = "kind")]
#[allow(dead_code, reason = "only its schema is used")]
enum Kind {
    A { a: u8 },
    B,
}

#[derive(Deserialize, JsonSchema)]
#[serde(tag = "mode")]
#[allow(dead_code, reason = "only its schema is used")]
enum Mode {
    On { since: u8 },
    Off,
}

#[derive(Deserialize, JsonSchema)]
#[allow(dead_code, reason = "only its schema is used")]
struct Place {
    x: u8,
}

/// Asserts that clients of the old contract may fail, that those of the reverse change do not, and that neither contract
/// differs from itself.
#[track_caller]
fn assert_narrower(old: &Contract, new: &Contract, word: &str) {
    let diff = new.diff(old);
    assert_eq!(diff.compatibility(), Compatibility::Breaking, "{diff}");
    assert!(diff.to_string().contains(word), "{diff}");
    let back = old.diff(new);
    assert_eq!(back.compatibility(), Compatibility::Additive, "{back}");
    for contract in [old, new] {
        assert!(contract.diff(contract).is_empty(), "{}", contract.diff(contract));
    }
}

#[test]
fn an_input_with_flattened_fields_that_denies_unknown_ones_is_narrower() {
    let further = "accepts no additional members";
    assert_narrower(
        &inputs!({ text: String, #[serde(flatten)] place: Place }),
        &inputs!(#[serde(deny_unknown_fields)] { text: String, #[serde(flatten)] place: Place }),
        further,
    );
    assert_narrower(
        &inputs!({ text: String, #[serde(flatten)] kind: Kind }),
        &inputs!(#[serde(deny_unknown_fields)] { text: String, #[serde(flatten)] kind: Kind }),
        further,
    );
    assert_narrower(
        &inputs!({ #[serde(flatten)] kind: Kind, #[serde(flatten)] mode: Mode }),
        &inputs!(#[serde(deny_unknown_fields)] { #[serde(flatten)] kind: Kind, #[serde(flatten)] mode: Mode }),
        further,
    );
}

#[test]
fn a_removed_member_is_a_change_if_flattened_fields_are_all_that_is_known() {
    let old = inputs!(#[serde(deny_unknown_fields)] { text: String, more: Option<u8>, #[serde(flatten)] kind: Kind, #[serde(flatten)] mode: Mode });
    let new = inputs!(#[serde(deny_unknown_fields)] { text: String, #[serde(flatten)] kind: Kind, #[serde(flatten)] mode: Mode });
    assert_narrower(&old, &new, "more is not a member");
}
