//! A scripted server for testing the client.

use http::{HeaderMap, HeaderValue, Uri};
use serde_json::json;
use tokio::{net::TcpStream, sync::mpsc};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{ErrorResponse, Request, Response},
    },
};
use zocket::ClientId;

use futures_util::SinkExt;

use crate::common::{self, Server};

/// A server that accepts each client, and gives the connection to the test.
pub struct Stage {
    server: Server,
    pub entries: mpsc::Receiver<Entry>,
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
        let (entering, entries) = mpsc::channel(8);
        let server = common::listen(move |listener| async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let entry = Entry::accept(stream).await;
                if entering.send(entry).await.is_err() {
                    return;
                }
            }
        });
        Self {
            server: server.await,
            entries,
        }
    }

    pub fn url(&self) -> String {
        self.server.url("")
    }
}

impl Entry {
    /// Sends the welcome, since our client speaks the extended protocol.
    async fn accept(stream: TcpStream) -> Self {
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
        let mut socket = accept_hdr_async(stream, note).await.unwrap();
        let welcome = json!({ "type": "__welcome", "payload": {
            "clientId": ClientId::random(), "contract": "0", "limits": { "message": 1 << 20 },
        }});
        socket.send(Message::text(welcome.to_string())).await.unwrap();
        Self { head, socket }
    }
}

impl Head {
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
