//! The contract: its content, and the classification of its changes.

#![allow(clippy::unwrap_used, reason = "these are tests, and their helpers")]

use std::error::Error as _;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use zocket::{ClientId, Code, Context, Contract, Error, Outgoing, Zocket, contract::Compatibility};

#[derive(Deserialize, JsonSchema, Validate)]
struct Headers {
    #[garde(length(chars, min = 1, max = 40))]
    name: String,
}

/// A line of chat.
#[derive(Serialize, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
struct Line {
    #[garde(length(chars, min = 1, max = 500))]
    text: String,
    #[garde(skip)]
    #[serde(default)]
    reply_to: Option<u32>,
}

#[derive(Serialize, JsonSchema)]
struct Said {
    line: Line,
}

impl Outgoing for Said {
    const TYPE: &'static str = "chat.message";
}

async fn post(_: Context<()>, input: Line) -> Result<Line, Error> {
    Ok(input)
}

async fn clear(_: Context<()>) -> Result<(), Error> {
    Ok(())
}

fn contract() -> Contract {
    let zo = Zocket::builder()
        .on_connect(async |_: Headers, _: ClientId| Ok(()))
        .build();
    let message = zo.message();
    zo.router()
        .outgoing::<Said>()
        .nest(
            "chat",
            zo.router()
                .incoming(
                    "post",
                    message
                        .clone()
                        .doc("Says something.")
                        .input::<Line>()
                        .handle(post),
                )
                .incoming("clear", message.declare_code(Code::app("TOO_LATE")).handle(clear)),
        )
        .contract()
}

#[test]
fn a_contract_has_every_event_and_every_route_with_types_and_constraints() {
    let contract = serde_json::to_value(contract()).unwrap();
    assert_eq!(contract["headers"], json!({ "$ref": "#/types/input/Headers" }));
    assert_eq!(
        contract["types"]["input"]["Headers"]["properties"]["name"]["maxLength"],
        40
    );
    assert_eq!(
        contract["incoming"]["chat.post"],
        json!({
            "doc": "Says something.",
            "input": { "$ref": "#/types/input/Line" },
            "output": { "$ref": "#/types/output/Line" },
        })
    );
    assert_eq!(
        contract["incoming"]["chat.clear"],
        json!({ "errors": ["TOO_LATE"] })
    );
    assert_eq!(
        contract["outgoing"]["chat.message"]["payload"],
        json!({ "$ref": "#/types/output/Said" })
    );
    assert_eq!(
        contract["types"]["output"]["Line"]["description"],
        "A line of chat."
    );
}

#[test]
fn a_default_makes_a_member_optional_as_input_and_present_as_output() {
    let contract = serde_json::to_value(contract()).unwrap();
    assert_eq!(contract["types"]["input"]["Line"]["required"], json!(["text"]));
    assert_eq!(
        contract["types"]["output"]["Line"]["required"],
        json!(["text", "replyTo"])
    );
}

#[test]
fn a_contract_survives_a_json_round_trip() {
    let contract = contract();
    assert_eq!(Contract::from_json(&contract.to_json()).unwrap(), contract);
    let not_a_contract = Contract::from_json("{}").unwrap_err();
    assert_eq!(not_a_contract.to_string(), "not a contract");
    let source = not_a_contract.source().unwrap().to_string();
    assert!(source.starts_with("missing field"), "{source}");
    let newer = contract.to_json().replace("\"zocket\": 1", "\"zocket\": 2");
    assert_eq!(
        Contract::from_json(&newer).unwrap_err().to_string(),
        "a contract of format 2, and this version of zocket reads format 1"
    );
}

#[test]
fn the_hash_covers_only_the_parts_that_clients_depend_on() {
    let one = contract();
    let mut other = contract();
    other.incoming.get_mut("chat.post").unwrap().doc = None;
    other.types.output.get_mut("Line").unwrap()["description"] = json!("Another text.");
    assert_eq!(one.hash(), other.hash());
    assert_eq!(one.hash().len(), 16);
    other
        .incoming
        .get_mut("chat.post")
        .unwrap()
        .errors
        .push("LATE".into());
    assert_ne!(one.hash(), other.hash());
}

#[test]
fn types_of_one_name_are_distinguished_by_their_users() {
    mod one {
        #[derive(serde::Serialize, schemars::JsonSchema)]
        pub(super) struct Person {
            pub(super) name: String,
        }
    }
    mod other {
        #[derive(serde::Serialize, schemars::JsonSchema)]
        pub(super) struct Person {
            pub(super) age: u8,
        }
    }
    let zo = Zocket::builder().build();
    let message = zo.message();
    let one = message
        .clone()
        .handle(async |_: Context<()>| Ok(one::Person { name: String::new() }));
    let other = message.handle(async |_: Context<()>| Ok(other::Person { age: 0 }));
    let there = zo
        .router()
        .incoming("one", one.clone())
        .incoming("other", other.clone())
        .contract();
    assert_eq!(
        there.types.output.keys().collect::<Vec<_>>(),
        ["OnePerson", "OtherPerson"]
    );
    // The order of declaration has no effect.
    assert_eq!(
        there,
        zo.router()
            .incoming("other", other)
            .incoming("one", one)
            .contract()
    );
}

/// Returns the compatibility of a change in the contract's JSON.
fn change(edit: impl FnOnce(&mut serde_json::Value)) -> (Compatibility, Vec<String>) {
    let old = contract();
    let mut new = serde_json::to_value(&old).unwrap();
    edit(&mut new);
    let diff = Contract::from_json(&new.to_string()).unwrap().diff(&old);
    (
        diff.compatibility(),
        diff.changes()
            .iter()
            .map(|change| change.message.clone())
            .collect(),
    )
}

#[track_caller]
fn assert_change(edit: impl FnOnce(&mut serde_json::Value), expected: Compatibility, message: &str) {
    let (compatibility, messages) = change(edit);
    assert_eq!(
        (compatibility, messages.first().map(String::as_str)),
        (expected, Some(message)),
        "{messages:?}"
    );
}

#[test]
fn narrower_inputs_and_outputs_are_breaking() {
    let breaking =
        |edit: fn(&mut serde_json::Value), message| assert_change(edit, Compatibility::Breaking, message);
    breaking(
        |c| c["incoming"].as_object_mut().unwrap().clear(),
        "incoming `chat.clear` was removed",
    );
    breaking(
        |c| c["outgoing"].as_object_mut().unwrap().clear(),
        "outgoing `chat.message` was removed",
    );
    breaking(
        |c| c["types"]["input"]["Line"]["required"] = json!(["text", "replyTo"]),
        "incoming `chat.post` input: replyTo is required",
    );
    breaking(
        |c| c["types"]["input"]["Line"]["properties"]["text"]["maxLength"] = json!(400),
        "incoming `chat.post` input: text has maxLength 400",
    );
    breaking(
        |c| c["types"]["input"]["Line"]["additionalProperties"] = json!(false),
        "incoming `chat.post` input: the payload accepts no additional members",
    );
    breaking(
        |c| c["types"]["input"]["Headers"]["properties"]["name"]["type"] = json!("number"),
        "headers: name does not accept string",
    );
    breaking(
        |c| c["types"]["output"]["Line"]["required"] = json!(["text"]),
        "incoming `chat.post` output: replyTo may now be missing, which the old contract excludes",
    );
    breaking(
        |c| c["types"]["output"]["Line"]["properties"]["text"]["type"] = json!(["string", "null"]),
        "incoming `chat.post` output: text may now be null, which the old contract excludes",
    );
    breaking(
        |c| c["incoming"]["chat.post"]["output"] = json!(null),
        "incoming `chat.post` output: was removed",
    );
    breaking(
        |c| c["incoming"]["chat.clear"]["input"] = json!({ "type": "string" }),
        "incoming `chat.clear` input: was added",
    );
}

#[test]
fn new_and_looser_declarations_are_additive() {
    let additive =
        |edit: fn(&mut serde_json::Value), message| assert_change(edit, Compatibility::Additive, message);
    additive(
        |c| c["incoming"]["chat.new"] = json!({}),
        "incoming `chat.new` was added",
    );
    additive(
        |c| c["types"]["input"]["Line"]["properties"]["text"]["maxLength"] = json!(600),
        "incoming `chat.post` input: in the old contract, text has maxLength 500",
    );
    additive(
        |c| {
            c["types"]["output"]["Line"]["properties"]["at"] = json!({ "type": "integer" });
            c["types"]["output"]["Line"]["required"] = json!(["text", "replyTo", "at"]);
        },
        "incoming `chat.post` output: at is now always there",
    );
    additive(
        |c| c["incoming"]["chat.clear"]["errors"] = json!(["TOO_LATE", "TOO_SOON"]),
        "incoming `chat.clear` may be refused with TOO_SOON",
    );
}

#[test]
fn documentation_changes_are_compatible_and_equal_contracts_have_no_changes() {
    assert_change(
        |c| c["types"]["output"]["Line"]["description"] = json!("Else."),
        Compatibility::Compatible,
        "documentation or type names changed",
    );
    let (compatibility, changes) = change(|_| ());
    assert_eq!((compatibility, changes.len()), (Compatibility::Compatible, 0));
}

/// Returns a contract with one event of this schema.
fn event(schema: &serde_json::Value) -> Contract {
    let json = json!({
        "zocket": 1, "headers": {}, "incoming": {}, "types": { "input": {}, "output": {
            "Tree": { "type": "object", "properties": { "next": { "anyOf": [{ "$ref": "#/types/output/Tree" }, { "type": "null" }] } } },
        } },
        "outgoing": { "e": { "payload": schema } },
    });
    Contract::from_json(&json.to_string()).unwrap()
}

#[test]
fn variants_are_compared_by_their_tags() {
    let variant = |kind: &str, r: &str| json!({ "type": "object", "required": ["kind", "r"], "properties": { "kind": { "const": kind, "type": "string" }, "r": { "type": r } } });
    let old = event(&json!({ "oneOf": [variant("a", "number"), variant("b", "string")] }));
    let wider =
        event(&json!({ "oneOf": [variant("b", "string"), variant("a", "number"), variant("c", "null")] }));
    let other = event(&json!({ "oneOf": [variant("a", "number"), variant("b", "boolean")] }));
    let message = |diff: zocket::contract::Diff| diff.to_string();
    assert_eq!(
        message(wider.diff(&old)),
        "breaking: outgoing `e`: the payload may now be the variant kind \"c\", which the old contract excludes"
    );
    assert_eq!(
        message(old.diff(&wider)),
        "additive: outgoing `e`: the payload is no longer the variant kind \"c\""
    );
    assert!(
        message(other.diff(&old))
            .starts_with("breaking: outgoing `e`: r may now be boolean, which the old contract excludes")
    );
}

#[test]
fn recursive_types_are_compared_once() {
    let tree = event(&json!({ "$ref": "#/types/output/Tree" }));
    assert!(tree.diff(&tree).is_empty());
    let list = event(&json!({ "type": "array", "items": { "$ref": "#/types/output/Tree" } }));
    assert_eq!(list.diff(&tree).compatibility(), Compatibility::Breaking);
}

#[test]
fn a_committed_contract_that_changed_fails_a_test_with_the_reasons() {
    let file = std::env::temp_dir().join(format!("zocket-contract-{}.json", std::process::id()));
    let path = file.to_str().unwrap();
    let check = |contract: Contract| {
        let checked = std::panic::catch_unwind(|| zocket::assert_contract!(path, contract));
        checked.map_err(|panic| panic.downcast_ref::<String>().unwrap().clone())
    };
    assert!(
        check(contract())
            .unwrap_err()
            .contains("run again with ZOCKET_UPDATE_CONTRACT=1 to write it")
    );
    std::fs::write(&file, contract().to_json()).unwrap();
    assert_eq!(check(contract()), Ok(()));
    let mut changed = contract();
    changed.outgoing.clear();
    let message = check(changed).unwrap_err();
    assert!(
        message.contains("breaking: outgoing `chat.message` was removed\ndeployed clients would break"),
        "{message}"
    );
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn no_route_shadows_a_client_member() {
    let runtime = include_str!("../../src/contract/typescript/runtime.d.ts");
    let (_, base) = runtime.split_once("export interface ClientBase {\n").unwrap();
    let (base, _) = base.split_once("\n}").unwrap();
    let members: Vec<_> = base
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.starts_with(|first: char| first.is_ascii_alphabetic()))
        .map(|line| line.trim_start_matches("readonly "))
        .filter_map(|line| line.split([':', '(']).next())
        .collect();
    assert!(
        members.contains(&"status") && members.contains(&"onRetry"),
        "{members:?}"
    );
    let zo = Zocket::builder().build();
    for member in members {
        let procedure = zo.message().handle(async |_: Context<()>| Ok(()));
        let refused = zo.try_serve(zo.router().incoming(member, procedure)).unwrap_err();
        assert!(
            refused.to_string().contains("would shadow the client's member"),
            "{member}: {refused}"
        );
    }
}

#[test]
fn reserved_client_names_are_refused_when_the_router_is_built() {
    let zo = Zocket::builder().build();
    let procedure = || zo.message().handle(async |_: Context<()>| Ok(()));
    let refused = |router| zo.try_serve(router).unwrap_err().to_string();
    let hidden = refused(zo.router().nest("on", zo.router().incoming("fire", procedure())));
    assert!(
        hidden.contains("route `on.fire`") && hidden.contains("would shadow the client's member `on`"),
        "{hidden}"
    );
    let prefix = refused(
        zo.router()
            .incoming("chat", procedure())
            .incoming("chat.post", procedure()),
    );
    assert!(
        prefix.contains("route `chat`") && prefix.contains("is a prefix of route `chat.post`"),
        "{prefix}"
    );
}
