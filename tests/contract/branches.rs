//! Changes within references with further keywords, and within several unions at once.

use schemars::JsonSchema;
use serde::Serialize;
use zocket::{Contract, Outgoing, Zocket, contract::Compatibility};

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
