//! AsyncAPI from the contract. This test writes the document into Cargo's temporary folder; `tests/clients` checks it
//! with AsyncAPI's own parser.

#![allow(clippy::unwrap_used, reason = "these are tests, and their helpers")]

use std::{collections::BTreeMap, fs, path::Path};

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zocket::{ClientId, Code, Context, Contract, Outgoing, Refusal, Zocket, contract::Info};

#[derive(Deserialize, JsonSchema, Validate)]
struct Headers {
    #[garde(length(chars, min = 1, max = 40))]
    name: String,
}

/// A line of chat.
#[derive(Serialize, Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
struct Line {
    #[garde(length(chars, min = 1, max = 500))]
    text: String,
    #[serde(default)]
    tags: BTreeMap<String, u8>,
    place: (f64, f64),
    kind: Kind,
    answers: Vec<Self>,
    next: Option<Box<Self>>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "camelCase")]
enum Kind {
    Plain,
    /// Said by another.
    Quote {
        of: ClientId,
    },
    Linked(Link),
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Link {
    url: String,
}

#[derive(Serialize, JsonSchema)]
struct Said {
    line: Line,
}

impl Outgoing for Said {
    const TYPE: &'static str = "chat.message";
}

/// The line came too early.
#[derive(Serialize, JsonSchema)]
struct TooEarly {
    pause: (u8, Link),
}

impl Refusal for TooEarly {
    const CODE: Code = Code::app("TOO_EARLY");
}

/// A message without payload.
#[derive(Deserialize, JsonSchema, Validate)]
struct Clear(#[garde(skip)] ());

fn contract() -> Contract {
    let zo = Zocket::builder()
        .on_connect(async |_: Headers, _: ClientId| Ok(()))
        .build();
    let message = zo.message();
    let post = message
        .clone()
        .doc("Says something.")
        .declare_code(Code::app("TOO_LATE"))
        .refuses::<TooEarly>();
    zo.router()
        .outgoing::<Said>()
        .incoming(
            "chat.post",
            post.input::<Line>()
                .handle(async |_: Context<()>, line: Line| Ok(line)),
        )
        .incoming(
            "chat.leave",
            message
                .clone()
                .declare_code(Code::app("TOO_LATE"))
                .handle(async |_: Context<()>| Ok(())),
        )
        .incoming(
            "chat.clear",
            message
                .input::<Clear>()
                .handle(async |_: Context<()>, _: Clear| Ok(())),
        )
        .contract()
}

fn document() -> Value {
    let info = Info::new("Chat", "1.0.0")
        .description("A chat.")
        .address("chat.example.org/ws");
    contract().asyncapi(&info)
}

#[test]
fn the_asyncapi_document_is_written_for_the_parser_test() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::write(folder.join("asyncapi.json"), document().to_string()).unwrap();
}

#[test]
fn client_messages_are_receive_operations_with_replies() {
    let document = document();
    assert_eq!(
        document["operations"]["receive.chat.post"],
        json!({
            "action": "receive",
            "channel": { "$ref": "#/channels/socket" },
            "messages": [{ "$ref": "#/channels/socket/messages/chat.post" }],
            "reply": {
                "channel": { "$ref": "#/channels/socket" },
                "messages": [
                    { "$ref": "#/channels/socket/messages/chat.post.answer" },
                    { "$ref": "#/channels/socket/messages/chat.post.refusal" },
                ],
            },
        })
    );
    assert_eq!(document["operations"]["send.chat.message"]["action"], "send");
    let messages = &document["channels"]["socket"]["messages"];
    assert_eq!(messages["chat.post"]["summary"], "Says something.");
    assert_eq!(
        messages["chat.post"]["payload"]["properties"]["payload"],
        json!({ "$ref": "#/components/schemas/LineInput" })
    );
    assert_eq!(
        messages["chat.clear.answer"]["payload"]["required"],
        json!(["type", "rpcId"])
    );
    assert!(codes_of(&refusal(&document, "chat.leave")).contains(&json!("TOO_LATE")));
}

/// Returns the schema of a route's error.
fn refusal(document: &Value, route: &str) -> Value {
    let message = &document["channels"]["socket"]["messages"][format!("{route}.refusal")];
    message["payload"]["properties"]["error"].clone()
}

fn codes_of(error: &Value) -> Vec<Value> {
    let codes = &error["allOf"][1]["properties"]["code"]["enum"];
    codes.as_array().unwrap().clone()
}

#[test]
fn a_refusal_states_its_data_under_its_code() {
    let document = document();
    let refusal = refusal(&document, "chat.post");
    let variants = refusal["oneOf"].as_array().unwrap();
    let codes = codes_of(&variants[0]);
    assert!(
        codes.contains(&json!("TOO_LATE")) && codes.contains(&json!("FORBIDDEN")),
        "{codes:?}"
    );
    assert!(!codes.contains(&json!("TOO_EARLY")), "{codes:?}");
    let error = json!({ "$ref": "#/components/schemas/Error" });
    let data = json!({ "$ref": "#/components/schemas/TooEarly" });
    let members = json!({ "code": { "const": "TOO_EARLY" }, "data": data });
    assert_eq!(
        variants[1..],
        [json!({
            "description": "Clients of the base protocol do not receive `data`.",
            "allOf": [error, { "type": "object", "properties": members }],
        })]
    );
    let schema = &document["components"]["schemas"]["TooEarly"];
    assert_eq!(
        schema["properties"]["pause"]["items"][1],
        json!({ "$ref": "#/components/schemas/Link" })
    );
}

#[test]
fn a_payload_that_can_only_be_null_may_be_absent() {
    let messages = &document()["channels"]["socket"]["messages"];
    let clear = &messages["chat.clear"]["payload"];
    assert_eq!(clear["required"], json!(["type"]));
    assert_eq!(
        clear["properties"]["payload"],
        json!({ "$ref": "#/components/schemas/Clear" })
    );
    assert_eq!(
        messages["chat.post"]["payload"]["required"],
        json!(["type", "payload"])
    );
}

#[test]
fn schemas_are_draft_07_with_their_constraints() {
    let document = document();
    let line = &document["components"]["schemas"]["LineInput"];
    assert_eq!(line["properties"]["text"]["maxLength"], 500);
    assert!(line["properties"]["place"]["items"].is_array(), "{line}");
    let text = document.to_string();
    assert!(
        !text.contains("prefixItems") && !text.contains("#/types/"),
        "{text}"
    );
    // Draft 07 ignores keywords beside a `$ref`.
    let linked = &document["components"]["schemas"]["Kind"]["oneOf"][2];
    assert_eq!(
        linked["allOf"][0],
        json!({ "$ref": "#/components/schemas/Link" }),
        "{linked}"
    );
    let headers = &document["channels"]["socket"]["bindings"]["ws"]["query"];
    assert_eq!(headers["properties"]["name"]["minLength"], 1);
    assert_eq!(document["servers"]["app"]["host"], "chat.example.org");
    assert_eq!(document["channels"]["socket"]["address"], "/ws");
}
