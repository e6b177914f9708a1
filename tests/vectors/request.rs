//! HTTP requests as bytes, and checks of their responses.

use std::collections::HashMap;

use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

use crate::{
    common::raw::Raw,
    format::{Request, Response, bytes},
    pattern::check,
};

/// Default fields of a handshake.
const USUAL: [(&str, &str); 5] = [
    ("Host", "localhost"),
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

/// Returns the bytes of a request.
pub fn written(request: &Request) -> Vec<u8> {
    let method = request.method.as_deref().unwrap_or("GET");
    let target = request.target.as_deref().unwrap_or("/?name=a");
    let version = request.version.as_deref().unwrap_or("1.1");
    let mut bytes = format!("{method} {target} HTTP/{version}\r\n").into_bytes();
    let mut field = |name: &str, value: &[u8]| {
        bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
    };
    for (name, value) in USUAL {
        let given = request
            .fields
            .iter()
            .any(|(other, _)| other.eq_ignore_ascii_case(name));
        if !given {
            field(name, value.as_bytes());
        }
    }
    for (name, value) in &request.fields {
        match value {
            Value::Null => {}
            Value::String(text) => field(name, text.as_bytes()),
            other => field(name, &self::bytes(&other["hex"])),
        }
    }
    bytes.extend(b"\r\n");
    bytes
}

/// Reads a response, and compares it with the expected one.
pub async fn answered(raw: &mut Raw, expected: &Response) -> Result<(), String> {
    let head = raw.read_http().await;
    let mut lines = head.lines();
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1)?.parse::<u16>().ok());
    let fields: HashMap<_, _> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .collect();
    let length = fields
        .get("content-length")
        .and_then(|length| length.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    raw.0
        .read_exact(&mut body)
        .await
        .map_err(|error| error.to_string())?;
    let body = String::from_utf8_lossy(&body);
    if status != Some(expected.status) {
        return Err(format!(
            "expected the status {}\n  got {head}{body}",
            expected.status
        ));
    }
    for (name, expected) in &expected.fields {
        let got = fields
            .get(name.as_str())
            .map_or(Value::Null, |value| json!(value));
        check(expected, &got.to_string()).map_err(|why| format!("the field `{name}`: {why}"))?;
    }
    match &expected.body {
        Some(expected) => check(expected, &body).map_err(|why| format!("the body: {why}")),
        None => Ok(()),
    }
}
