//! Wording of changes: sentences about what the server accepts of clients, and about what it sends to them.

use serde_json::{Value, json};
use zocket::Contract;

/// Returns a contract with a route that takes and answers values of this schema, and an event of it.
fn contract(schema: &Value) -> Contract {
    let json = json!({
        "zocket": 1, "headers": {}, "types": { "input": {}, "output": {} },
        "incoming": { "say": { "input": schema, "output": schema } },
        "outgoing": { "said": { "payload": schema } },
    });
    Contract::from_json(&json.to_string()).unwrap()
}

fn member(schema: &Value, required: &[&str]) -> Value {
    json!({ "type": "object", "properties": { "by": schema }, "required": required })
}

/// Asserts the lines about input, output and event when `old` becomes `new`.
#[track_caller]
fn assert_words(old: &Value, new: &Value, input: &str, output: &str) {
    let lines = contract(new).diff(&contract(old)).to_string();
    for line in [
        input.replace(": ", ": incoming `say` input: "),
        output.replace(": ", ": incoming `say` output: "),
        output.replace(": ", ": outgoing `said`: "),
    ] {
        assert!(
            lines.lines().any(|other| other == line),
            "{line}\nis not in\n{lines}"
        );
    }
}

#[test]
fn a_looser_type_says_what_the_server_may_send_now() {
    let text = || json!({ "type": "string" });
    assert_words(
        &member(&text(), &["by"]),
        &member(&text(), &[]),
        "additive: in the old contract, by is required",
        "breaking: by may now be missing, which the old contract excludes",
    );
    assert_words(
        &member(&text(), &["by"]),
        &member(&json!({ "type": ["string", "null"] }), &["by"]),
        "additive: in the old contract, by does not accept null",
        "breaking: by may now be null, which the old contract excludes",
    );
    assert_words(
        &member(&json!({ "type": "string", "maxLength": 5 }), &["by"]),
        &member(&json!({ "type": "string", "maxLength": 7 }), &["by"]),
        "additive: in the old contract, by has maxLength 5",
        "breaking: by may now be outside of maxLength 5, which the old contract excludes",
    );
    assert_words(
        &json!({ "enum": ["a"] }),
        &json!({ "enum": ["a", "b"] }),
        "additive: in the old contract, the payload does not accept \"b\"",
        "breaking: the payload may now be \"b\", which the old contract excludes",
    );
    let variant = |kind: &str| member(&json!({ "const": kind }), &["by"]);
    assert_words(
        &json!({ "oneOf": [variant("a"), variant("b")] }),
        &json!({ "oneOf": [variant("a"), variant("b"), variant("c")] }),
        "additive: in the old contract, the payload has no variant by \"c\"",
        "breaking: the payload may now be the variant by \"c\", which the old contract excludes",
    );
}

#[test]
fn a_narrower_type_says_what_the_server_no_longer_sends() {
    let text = || json!({ "type": "string" });
    assert_words(
        &member(&text(), &[]),
        &member(&text(), &["by"]),
        "breaking: by is required",
        "additive: by is now always there",
    );
    assert_words(
        &json!({ "type": ["string", "null"] }),
        &text(),
        "breaking: the payload does not accept null",
        "additive: the payload is no longer null",
    );
    assert_words(
        &text(),
        &json!({ "type": "string", "pattern": "^a$" }),
        "breaking: the payload has pattern \"^a$\"",
        "additive: the payload now has pattern \"^a$\"",
    );
    assert_words(
        &json!({ "enum": [1, 2] }),
        &json!({ "enum": [1] }),
        "breaking: the payload does not accept 2",
        "additive: the payload is no longer 2",
    );
}
