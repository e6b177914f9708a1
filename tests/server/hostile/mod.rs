//! What a server must survive: after each attack it is up, a bystander has noticed nothing, and nothing is left.
#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "what is unwrapped by a test's helper is part of the test"
)]

use crate::common;

mod site;

mod control_frames;
mod half_connections;
mod json;
mod limits;
mod oversized;
mod panics;
mod slow_peers;

use common::raw::{FIN, Raw, TEXT, frame};
use serde_json::{Value, json};

/// Sends a text message, whatever it is.
async fn send(raw: &mut Raw, text: &str) {
    raw.write(&frame(FIN | TEXT, text.as_bytes())).await;
}

/// The next frame, as JSON.
async fn answer(raw: &mut Raw) -> Value {
    serde_json::from_str(&raw.read_text().await).unwrap()
}

/// What a message is answered with: its payload, or the refusal.
async fn ask(raw: &mut Raw, text: &str) -> Value {
    send(raw, text).await;
    answer(raw).await
}

/// Calls a route with a payload, whatever it is. What that is answered with.
async fn call(raw: &mut Raw, route: &str, payload: &str) -> Value {
    ask(
        raw,
        &format!(r#"{{"type":"{route}","rpcId":1,"payload":{payload}}}"#),
    )
    .await
}

/// The connection has come through: a call is answered, and nothing before it.
async fn assert_connection_works(raw: &mut Raw) {
    let answer = ask(raw, r#"{"type":"here","rpcId":"well?"}"#).await;
    assert_eq!(
        answer,
        json!({ "type": "__rpc_res", "payload": "here", "rpcId": "well?" })
    );
}
