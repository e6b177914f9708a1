//! A scripted server for testing the client.

use futures_util::{SinkExt, StreamExt};
use http::{HeaderMap, HeaderValue, Uri};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{ErrorResponse, Request, Response},
    },
};
use zocket::ClientId;

use crate::{
    common::{self, Server},
    format::Refusal,
};

/// A server that gives each connection to the test.
pub struct Stage {
    server: Server,
    pub streams: mpsc::Receiver<TcpStream>,
    client_id: ClientId,
}

/// A connection from the client.
pub struct Entry {
    pub head: Head,
    pub socket: WebSocketStream<TcpStream>,
}

/// The client's upgrade request.
#[derive(Default)]
pub struct Head {
    uri: Uri,
    fields: HeaderMap,
}

impl Stage {
    pub async fn new() -> Self {
        let (server, streams) = common::listen_for_streams().await;
        Self {
            server,
            streams,
            client_id: ClientId::random(),
        }
    }

    pub fn url(&self) -> String {
        self.server.url("")
    }

    /// Returns a welcome with these members beside those that every server sends.
    pub fn welcome(&self, members: &Value) -> Message {
        let mut payload =
            json!({ "clientId": self.client_id, "contract": "0", "limits": { "message": 1 << 20 } });
        for (name, member) in members.as_object().into_iter().flatten() {
            payload[name] = member.clone();
        }
        Message::text(json!({ "type": "__welcome", "payload": payload }).to_string())
    }
}

/// Returns the members of the welcome of a server that resumes sessions, replaced by those of a vector.
pub fn resumable(members: &Value) -> Value {
    let mut welcome = json!({
        "features": ["refusals", "flow", "resume"], "limits": { "message": 4096, "record": 65536 },
        "session": "T1", "resumed": false, "received": 0, "sent": 0, "ackMs": 60_000, "parkedMs": 600_000,
    });
    for (name, member) in members.as_object().into_iter().flatten() {
        welcome[name] = member.clone();
    }
    welcome
}

impl Entry {
    pub async fn accept(stream: TcpStream) -> Self {
        let mut head = Head::default();
        #[allow(clippy::result_large_err, reason = "the library's")]
        let note = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
            head = Head {
                uri: request.uri().clone(),
                fields: request.headers().clone(),
            };
            let codec = HeaderValue::from_static("zocket.v1.json");
            response.headers_mut().insert("sec-websocket-protocol", codec);
            Ok(response)
        };
        let socket = accept_hdr_async(stream, note).await.unwrap();
        Self { head, socket }
    }

    pub async fn send(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    /// Returns the client's next frame.
    pub async fn next(&mut self) -> Option<Message> {
        self.socket.next().await.and_then(Result::ok)
    }
}

/// Refuses a handshake as a server does for a client that sees the HTTP response.
pub async fn refuse(mut stream: TcpStream, refusal: &Refusal) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.unwrap());
    }
    let body =
        json!({ "error": refusal.message, "code": refusal.code, "details": refusal.issues }).to_string();
    let response = format!(
        "HTTP/1.1 {} Refused\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        refusal.status,
        body.len(),
    );
    stream.write_all(response.as_bytes()).await.unwrap();
}

impl Head {
    /// Returns the only offer that concerns resumption.
    pub fn resume_offer(&self) -> Option<String> {
        let offers = self.header("sec-websocket-protocol")?;
        let mut resume = offers
            .split(", ")
            .filter(|offer| offer.starts_with("zocket.resume"));
        let offer = resume.next().map(str::to_owned);
        offer.filter(|_| resume.next().is_none())
    }

    /// Returns a header as a server reads it: the fields of this name, or else the last query parameter.
    pub fn header(&self, name: &str) -> Option<String> {
        let fields: Vec<_> = self
            .fields
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        if !fields.is_empty() {
            return Some(fields.join(", "));
        }
        url::form_urlencoded::parse(self.uri.query().unwrap_or_default().as_bytes())
            .filter(|(other, _)| other == name)
            .last()
            .map(|(_, value)| value.into_owned())
    }
}
