//! A server that a test plays, for a client that resumes its session.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use http::HeaderValue;
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
        protocol::CloseFrame,
    },
};
use zocket::{ClientId, client::Builder};

use super::{
    common::{self, Server},
    hasty, soon,
};

/// Time for which the server keeps a session. Less than the time limit of a handshake.
pub const PARKED: Duration = Duration::from_secs(8);

/// Gives each connection to the test.
pub struct Stage {
    server: Server,
    streams: mpsc::Receiver<TcpStream>,
    pub client_id: ClientId,
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

    /// Returns a client whose heartbeat does not disturb the test.
    pub fn builder(&self) -> Builder {
        hasty(self.server.url("")).ping(Duration::from_secs(3600), Duration::from_secs(3600))
    }

    /// Accepts the next handshake.
    pub async fn accept(&mut self) -> Visit {
        let stream = soon(self.streams.recv()).await.unwrap();
        let mut offers = String::new();
        #[allow(clippy::result_large_err, reason = "the library's")]
        let note = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
            offers = request.headers()["sec-websocket-protocol"]
                .to_str()
                .unwrap()
                .to_owned();
            let codec = HeaderValue::from_static("zocket.v1.json");
            response.headers_mut().insert("sec-websocket-protocol", codec);
            Ok(response)
        };
        let socket = soon(accept_hdr_async(stream, note)).await.unwrap();
        Visit { socket, offers }
    }

    /// Answers the next handshake with this response.
    pub async fn refuse(&mut self, response: &str) {
        let mut stream = soon(self.streams.recv()).await.unwrap();
        // A stream that is dropped before it was read is reset, and the response may be lost.
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(soon(stream.read_u8()).await.unwrap());
        }
        stream.write_all(response.as_bytes()).await.unwrap();
    }

    /// Accepts the next handshake, and begins the session `T1`.
    pub async fn begin(&mut self) -> Visit {
        self.begin_with(json!({})).await
    }

    /// Like [`begin`](Self::begin), with these members of the welcome.
    pub async fn begin_with(&mut self, members: Value) -> Visit {
        let mut visit = self.accept().await;
        visit.welcome(self.welcome(members)).await;
        assert_eq!(visit.next().await, ack(0));
        visit
    }

    /// Accepts the next handshake, which has to offer `offer`, and continues the session. The server has `received`.
    pub async fn resume(&mut self, offer: &str, received: u64) -> Visit {
        let mut visit = self.accept().await;
        assert_eq!(visit.resume_offer(), offer);
        let members = json!({ "session": "T2", "resumed": true, "received": received });
        visit.welcome(self.welcome(members)).await;
        visit
    }

    /// Returns the payload of a welcome.
    pub fn welcome(&self, members: Value) -> Value {
        let mut payload = json!({
            "clientId": self.client_id, "contract": "0", "features": ["refusals", "flow", "resume"],
            "limits": { "message": 1 << 20, "calls": 64, "record": 1 << 20 }, "session": "T1", "resumed": false,
            "received": 0, "sent": 0, "ackMs": 3_600_000, "parkedMs": 8_000,
        });
        for (name, value) in members.as_object().unwrap() {
            payload[name] = value.clone();
        }
        payload
    }
}

/// One connection of the client.
pub struct Visit {
    pub socket: WebSocketStream<TcpStream>,
    offers: String,
}

impl Visit {
    /// Returns the offer that concerns resumption.
    pub fn resume_offer(&self) -> &str {
        let resume = self.offers.strip_prefix("zocket.v1.json, zocket.flow");
        resume.unwrap().trim_start_matches(", ")
    }

    pub async fn welcome(&mut self, payload: Value) {
        self.send(json!({ "type": "__welcome", "payload": payload }))
            .await;
    }

    pub async fn send(&mut self, frame: Value) {
        self.write(&frame.to_string()).await;
    }

    pub async fn write(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    pub async fn acknowledge(&mut self, number: impl Into<Value>) {
        let number = number.into();
        self.send(json!({ "type": "__ack", "payload": number })).await;
    }

    /// Answers a call with its own route.
    pub async fn answer(&mut self, call: &Value) {
        self.send(json!({ "type": "__rpc_res", "rpcId": call["rpcId"], "payload": call["type"] }))
            .await;
    }

    /// Returns the client's next frame.
    pub async fn next(&mut self) -> Value {
        match soon(self.socket.next()).await {
            Some(Ok(Message::Text(text))) => serde_json::from_str(&text).unwrap(),
            other => panic!("expected a frame, got {other:?}"),
        }
    }

    /// Returns the types of the client's next frames.
    pub async fn types<const N: usize>(&mut self) -> [String; N] {
        let mut types = [const { String::new() }; N];
        for name in &mut types {
            *name = self.next().await["type"].as_str().unwrap().to_owned();
        }
        types
    }

    /// Returns the client's Close, with the frames before it.
    pub async fn closed(&mut self) -> (u16, String) {
        loop {
            match soon(self.socket.next()).await {
                Some(Ok(Message::Close(Some(close)))) => {
                    return (close.code.into(), close.reason.to_string());
                }
                Some(Ok(Message::Close(None))) => return (1005, String::new()),
                Some(Ok(_)) => {}
                other => panic!("expected a Close, got {other:?}"),
            }
        }
    }

    /// Closes with this code. 1005 is a Close without a code.
    pub async fn close(mut self, code: u16, reason: &str) {
        let close = (code != 1005).then(|| CloseFrame {
            code: code.into(),
            reason: reason.into(),
        });
        self.socket.close(close).await.unwrap();
        while let Some(Ok(_)) = soon(self.socket.next()).await {}
    }
}

pub fn ack(number: u64) -> Value {
    json!({ "type": "__ack", "payload": number })
}

/// An event of the type that [`Said`](super::world::Said) has.
pub fn said(text: &str) -> Value {
    json!({ "type": "chat.message", "payload": { "text": text, "from": "server" } })
}
