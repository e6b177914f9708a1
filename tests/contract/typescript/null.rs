//! Routes whose input can only be null: their calls have no payload.

use garde::Validate;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tower::ServiceExt;
use zocket::{Connection, Context, Contract, Incoming, Message, RawPayload, Zocket};

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
struct WhoAmI;

impl Validate for WhoAmI {
    type Context = ();

    fn validate_into(&self, (): &(), _: &mut dyn FnMut() -> garde::Path, _: &mut garde::Report) {}
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema, Validate)]
struct Now(#[garde(dive)] WhoAmI);

#[derive(Deserialize, JsonSchema, Validate)]
struct Maybe(#[garde(skip)] Option<u8>);

/// A message that only has a name.
struct Leave;

impl Incoming for Leave {
    const TYPE: &'static str = "leave";
    type Answer = ();
}

#[test]
fn a_message_without_members_has_no_input_in_the_contract() {
    let zo = Zocket::builder().build();
    let leave = zo.message().handle(async |_: Context<()>| Ok(()));
    let contract = zo.router().receive::<Leave>(leave).contract();
    assert_eq!(
        serde_json::to_value(&contract.incoming["leave"]).unwrap(),
        json!({})
    );
}

#[test]
fn a_call_with_a_unit_struct_as_input_has_no_payload() {
    let zo = Zocket::builder().build();
    let message = || zo.message();
    let text = zo
        .router()
        .incoming(
            "whoami",
            message()
                .input::<WhoAmI>()
                .handle(async |_: Context<()>, WhoAmI| Ok(())),
        )
        .incoming(
            "now",
            message()
                .input::<Now>()
                .handle(async |_: Context<()>, _: Now| Ok(())),
        )
        .incoming(
            "unit",
            message()
                .input::<()>()
                .handle(async |_: Context<()>, (): ()| Ok(())),
        )
        .incoming(
            "maybe",
            message()
                .input::<Maybe>()
                .handle(async |_: Context<()>, maybe: Maybe| Ok(maybe.0)),
        )
        .receive::<Leave>(message().handle(async |_: Context<()>| Ok(())))
        .contract()
        .typescript();
    for part in [
        "  readonly leave: Call<void, void>;\n",
        "  readonly whoami: Call<void, void>;\n",
        "  readonly now: Call<void, void>;\n",
        "  readonly unit: Call<void, void>;\n",
        "  readonly maybe: Call<Maybe, number | null>;\n",
        "  incoming: {\n    leave: false,\n    maybe: true,\n    now: false,\n    unit: false,\n    whoami: false,\n  },\n",
    ] {
        assert!(text.contains(part), "{part}\nis not in\n{text}");
    }
}

#[test]
fn every_schema_of_null_alone_is_recognised() {
    let has_payload = |input: Value| {
        let types = json!({ "Null": { "type": "null" }, "Again": { "$ref": "#/types/input/Null", "description": "A text." },
            "Text": { "type": "string" }, "Loop": { "$ref": "#/types/input/Loop" } });
        let contract = json!({ "zocket": 1, "headers": {}, "outgoing": {}, "incoming": { "r": { "input": input } },
            "types": { "input": types, "output": {} } });
        let text = Contract::from_json(&contract.to_string()).unwrap().typescript();
        let has_payload = text.contains("    r: true,\n");
        assert_ne!(has_payload, text.contains("    r: false,\n"));
        assert_ne!(has_payload, text.contains("  readonly r: Call<void, void>;\n"));
        has_payload
    };
    for null in [
        json!({ "type": "null" }),
        json!({ "type": "null", "description": "Nothing." }),
        json!({ "const": null }),
        json!({ "$ref": "#/types/input/Null" }),
        json!({ "$ref": "#/types/input/Again" }),
    ] {
        assert!(!has_payload(null.clone()), "{null}");
    }
    for other in [
        json!({}),
        json!(true),
        json!({ "type": ["null", "string"] }),
        json!({ "anyOf": [{ "type": "null" }, { "$ref": "#/types/input/Text" }] }),
        json!({ "const": "null" }),
        json!({ "$ref": "#/types/input/Text" }),
        json!({ "$ref": "#/types/input/Loop" }),
        json!({ "$ref": "#/types/input/Unknown" }),
    ] {
        assert!(has_payload(other.clone()), "{other}");
    }
}

#[tokio::test]
async fn the_server_accepts_a_unit_struct_without_payload_and_as_null() {
    let procedure = Zocket::builder()
        .build()
        .message()
        .input::<Now>()
        .handle(async |_: Context<()>, now: Now| Ok(now == Now(WhoAmI)));
    for payload in [RawPayload::absent(), RawPayload::json("null")] {
        let message = Message::new(Connection::detached(()), "now", payload);
        let reply = procedure.clone().oneshot(message).await.unwrap();
        assert_eq!(reply.answer.as_json(), b"true");
    }
}
