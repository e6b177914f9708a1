//! BAD_REQUEST: payloads of the wrong shape, and payloads that break their constraints.

use std::sync::atomic::Ordering;

use garde::Validate;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use zocket::Context;

use super::{State, app, common::Client, connect};

#[derive(Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Profile {
    #[garde(length(chars, min = 3))]
    nick_name: String,
    #[garde(range(min = 18))]
    age: u8,
    #[garde(inner(length(chars, max = 3)))]
    tags: Vec<String>,
}

/// Returns a client of an app with the route `save`.
async fn profiles() -> Client {
    let zo = app(&State::default());
    let save = zo
        .message()
        .input::<Profile>()
        .handle(async |cx: Context<State>, profile: Profile| {
            cx.runs.fetch_add(1, Ordering::SeqCst);
            Ok((profile.nick_name, profile.age, profile.tags))
        });
    connect(zo.serve(zo.router().incoming("save", save))).await
}

/// Returns the issues of a refused payload, sorted.
async fn issues_of(client: &mut Client, payload: Value) -> Vec<String> {
    let refusal = client.call("save", payload).await.unwrap_err();
    assert_eq!(refusal.code(), "BAD_REQUEST");
    let mut issues = refusal.issues();
    issues.sort();
    issues
}

#[tokio::test]
async fn a_payload_of_the_wrong_shape_reports_every_issue_by_wire_name() {
    let mut client = profiles().await;
    let payload = json!({ "nickName": 7, "tags": ["ok", 1, null], "nick_name": "Ada" });
    assert_eq!(
        issues_of(&mut client, payload).await,
        [
            "age: required",
            "nickName: type",
            "nick_name: unknown_key",
            "tags.1: type",
            "tags.2: type",
        ]
    );
    client.expect_nothing().await;
}

#[tokio::test]
async fn a_payload_that_breaks_its_constraints_reports_every_issue() {
    let mut client = profiles().await;
    let payload = json!({ "nickName": "Al", "age": 17, "tags": ["a", "long", "longer"] });
    assert_eq!(
        issues_of(&mut client, payload).await,
        [
            "age: minimum",
            "nickName: min_length",
            "tags.1: max_length",
            "tags.2: max_length",
        ]
    );
    let good = json!({ "nickName": "Ada", "age": 36, "tags": [] });
    assert_eq!(client.call("save", good).await, Ok(Some(json!(["Ada", 36, []]))));
}

#[tokio::test]
async fn a_missing_required_payload_is_a_bad_request() {
    let mut client = profiles().await;
    for frame in [
        json!({ "type": "save", "rpcId": "a" }),
        json!({ "type": "save", "rpcId": "a", "payload": null }),
    ] {
        client.send(frame).await;
        let refusal = client.answer(&json!("a")).await.unwrap_err();
        assert_eq!(refusal.code(), "BAD_REQUEST");
        assert_eq!(refusal.issues(), [": type"]);
    }
}
