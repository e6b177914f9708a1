//! Attacks on a server: after each one, the server accepts clients, a bystander was not affected, and nothing leaks.
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
mod panicking_values;
mod panics;
mod slow_peers;

use common::raw::{FIN, Raw, TEXT, frame};
use serde_json::{Value, json};

/// Sends any text as a message.
async fn send(raw: &mut Raw, text: &str) {
    raw.write(&frame(FIN | TEXT, text.as_bytes())).await;
}

/// Reads the next frame as JSON.
async fn answer(raw: &mut Raw) -> Value {
    serde_json::from_str(&raw.read_text().await).unwrap()
}

/// Sends a message. Returns its answer or refusal.
async fn ask(raw: &mut Raw, text: &str) -> Value {
    send(raw, text).await;
    answer(raw).await
}

/// Calls a route with any text as payload. Returns its answer or refusal.
async fn call(raw: &mut Raw, route: &str, payload: &str) -> Value {
    ask(
        raw,
        &format!(r#"{{"type":"{route}","rpcId":1,"payload":{payload}}}"#),
    )
    .await
}

/// Asserts that the connection works: the next frame is the answer to a call.
async fn assert_connection_works(raw: &mut Raw) {
    let answer = ask(raw, r#"{"type":"here","rpcId":"well?"}"#).await;
    assert_eq!(
        answer,
        json!({ "type": "__rpc_res", "payload": "here", "rpcId": "well?" })
    );
}
