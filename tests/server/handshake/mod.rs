//! The handshake: connect headers, refusals by `on_connect`, requests that open no WebSocket.
#![allow(
    clippy::unwrap_used,
    reason = "what is unwrapped by a test's helper is part of the test"
)]

use crate::common;

mod address;
mod headers;
mod kinds;
mod on_connect;
mod origin;
mod told;
mod upgrade;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use common::{PATIENCE, Server, serve};
use garde::Validate;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tokio::{io::AsyncReadExt, time::timeout};
use zocket::{ClientId, Context, UpgradeService, Zocket};

/// Connect headers of the test app, which denies other names.
#[derive(Clone, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
struct Headers {
    #[garde(length(chars, min = 1, max = 40))]
    name: String,
    #[serde(rename = "x-room", default = "lobby")]
    #[garde(length(chars, max = 10))]
    room: String,
    #[serde(rename = "x-user-id")]
    #[garde(skip)]
    user_id: Option<String>,
}

fn lobby() -> String {
    "lobby".to_owned()
}

/// Number of `on_connect` runs.
type Runs = Arc<AtomicUsize>;

/// Returns an app with a route that answers the connect headers.
fn app(runs: &Runs) -> UpgradeService {
    let zo = Zocket::builder()
        .on_connect_with(runs.clone(), async |runs: Runs, headers: Headers, _: ClientId| {
            runs.fetch_add(1, Ordering::SeqCst);
            Ok(headers)
        })
        .build();
    let headers = zo
        .message()
        .handle(async |cx: Context<Headers>| Ok((cx.name.clone(), cx.room.clone(), cx.user_id.clone())));
    zo.serve(zo.router().incoming("headers", headers))
}

/// Serves that app.
async fn site() -> Server {
    serve(app(&Runs::default())).await
}

/// Returns the status and the body of the refusal that these query parameters cause.
async fn refused(server: &Server, query: &str) -> (u16, Value) {
    server.try_connect(query, &[]).await.err().unwrap()
}

/// An upgrade request that tests modify.
struct Raw {
    start: &'static str,
    fields: Vec<(&'static str, Vec<u8>)>,
}

/// An HTTP response.
struct Answer {
    status: u16,
    fields: HashMap<String, String>,
    body: Value,
}

fn raw() -> Raw {
    Raw {
        start: "GET /?name=Ann HTTP/1.1",
        fields: Vec::new(),
    }
    .with("Host", "localhost")
    .with("Connection", "Upgrade")
    .with("Upgrade", "websocket")
    .with("Sec-WebSocket-Version", "13")
    .with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
}

impl Raw {
    fn start(mut self, line: &'static str) -> Self {
        self.start = line;
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(other, _)| *other != name);
        self
    }

    fn with(mut self, name: &'static str, value: impl Into<Vec<u8>>) -> Self {
        self = self.without(name);
        self.fields.push((name, value.into()));
        self
    }

    async fn send(self, server: &Server) -> Answer {
        let mut bytes = self.start.as_bytes().to_vec();
        for (name, value) in self.fields {
            bytes.extend_from_slice(b"\r\n");
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(&value);
        }
        bytes.extend_from_slice(b"\r\n\r\n");
        let mut raw = server.dial().await;
        raw.write(&bytes).await;
        let head = raw.read_http().await;
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let fields: HashMap<_, _> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length = fields
            .get("content-length")
            .and_then(|length| length.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        timeout(PATIENCE, raw.0.read_exact(&mut body))
            .await
            .expect("no body comes")
            .unwrap();
        Answer {
            status: status.expect("a status line"),
            fields,
            body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        }
    }
}

/// Connects, and returns the answer of the route `headers`: the connect headers as `on_connect` received them.
async fn received(server: &Server, query: &str, fields: &[(&str, &str)]) -> Value {
    let client = server.try_connect(query, fields).await;
    let mut client = client.unwrap_or_else(|(status, body)| panic!("{query}: {status} {body}"));
    client
        .call("headers", Value::Null)
        .await
        .expect("an answer")
        .expect("a payload")
}
