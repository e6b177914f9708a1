//! A client that counts, acknowledges and resumes, over a pipe that can be cut at any byte.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::wire::{Duplex, Wire};
use crate::common::PATIENCE;
use futures_util::{SinkExt, StreamExt, future::BoxFuture};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest,
        http::{HeaderName, HeaderValue},
        protocol::{CloseFrame, Role, frame::coding::CloseCode},
    },
};
use tower::util::BoxCloneSyncService;
use zocket::Body;

/// An app, or an app with layers around it.
pub(super) type App = BoxCloneSyncService<http::Request<Incoming>, http::Response<Body>, Infallible>;

/// A service that clients connect to.
pub(super) trait Service:
    tower::Service<http::Request<Incoming>, Response = http::Response<Body>, Error = Infallible, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> Service for S where
    S: tower::Service<
            http::Request<Incoming>,
            Response = http::Response<Body>,
            Error = Infallible,
            Future: Send,
        > + Clone
        + Send
        + Sync
        + 'static
{
}

/// The end of a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Broken {
    /// The server closed it.
    Closed(u16, String),
    Gone,
}

/// The server's answer to a handshake that opens no WebSocket.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failed {
    Refused(u16),
    Broken(Broken),
}

pub(super) type Socket = WebSocketStream<Wire>;

/// Opens a WebSocket to an app, which offers these subprotocols. Returns it, and the number of bytes until its cut.
pub(super) async fn dial(
    service: &impl Service,
    query: &str,
    offers: &str,
    fields: &[(&str, &str)],
    cut: usize,
) -> Result<(Socket, Arc<AtomicUsize>), Failed> {
    let (near, far) = tokio::io::duplex(1 << 16);
    let service = TowerToHyperService::new(service.clone());
    tokio::spawn(async move {
        let serving = http1::Builder::new().serve_connection(TokioIo::new(far), service);
        let _ = serving.with_upgrades().await;
    });
    let mut request = format!("ws://in.memory/?{query}").into_client_request().unwrap();
    let offers = HeaderValue::from_str(offers).unwrap();
    request.headers_mut().insert("sec-websocket-protocol", offers);
    for (name, value) in fields {
        request
            .headers_mut()
            .insert(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
    }
    let (wire, left) = Wire::new(near, cut);
    let handshake = timeout(PATIENCE, client_async(request, wire)).await;
    match handshake.expect("the handshake takes too long") {
        Ok((socket, response)) => {
            assert_eq!(response.headers()["sec-websocket-protocol"], "zocket.v1.json");
            Ok((socket, left))
        }
        Err(Error::Http(response)) => Err(Failed::Refused(response.status().as_u16())),
        Err(_) => Err(Failed::Broken(Broken::Gone)),
    }
}

/// Reads the next data frame of a socket.
pub(super) async fn read(socket: &mut Socket) -> Result<Value, Broken> {
    loop {
        let read = timeout(PATIENCE, socket.next()).await.expect("no frame comes");
        match read {
            Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
            Some(Ok(Message::Close(Some(close)))) => {
                return Err(Broken::Closed(close.code.into(), close.reason.to_string()));
            }
            Some(Ok(Message::Close(None))) => return Err(Broken::Closed(1005, String::new())),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return Err(Broken::Gone),
        }
    }
}

/// A connection that has several WebSockets, as one of HTTP/2.
pub(super) trait Carrier: Send + Sync {
    /// Opens a stream for a WebSocket, whose client offers these subprotocols.
    fn open(&self, query: String, offers: String) -> BoxFuture<'static, Box<dyn Duplex>>;
}

/// A client that can come back to its session.
pub(super) struct Peer {
    service: App,
    /// Connection that has the next sockets. `None` for a pipe for each of them.
    pub(super) carrier: Option<Arc<dyn Carrier>>,
    pub(super) query: String,
    pub(super) fields: Vec<(&'static str, String)>,
    /// The current socket.
    pub(super) socket: Option<Socket>,
    /// Bytes until the socket's cut.
    left: Arc<AtomicUsize>,
    pub(super) token: Option<String>,
    /// Payload of the last welcome.
    pub(super) welcome: Value,
    /// True if the client acknowledges after each welcome.
    pub(super) acknowledges: bool,
    /// Number of the last frame that came.
    pub(super) received: u64,
    /// Number of the last frame that was sent.
    pub(super) sent: u64,
    /// Frames that the server has not acknowledged.
    unacknowledged: Vec<Value>,
}

impl Peer {
    pub(super) fn new(service: &impl Service, query: &str) -> Self {
        Self {
            service: BoxCloneSyncService::new(service.clone()),
            carrier: None,
            query: query.to_owned(),
            fields: Vec::new(),
            socket: None,
            left: Arc::default(),
            token: None,
            welcome: Value::Null,
            acknowledges: true,
            received: 0,
            sent: 0,
            unacknowledged: Vec::new(),
        }
    }

    /// Connects for the first time.
    pub(super) async fn connected(service: &impl Service, query: &str) -> Self {
        let mut peer = Self::new(service, query);
        assert!(!peer.connect().await, "there was no session");
        peer
    }

    /// Returns the offer of the next handshake.
    pub(super) fn offer(&self) -> String {
        match &self.token {
            Some(token) => format!("zocket.v1.json, zocket.resume.{token}.{}", self.received),
            None => "zocket.v1.json, zocket.resume".to_owned(),
        }
    }

    /// Connects. Returns true if the session goes on.
    pub(super) async fn connect(&mut self) -> bool {
        self.try_connect(usize::MAX)
            .await
            .expect("the handshake succeeds")
    }

    /// Connects like [`connect`](Self::connect), over a pipe that is cut after some bytes.
    pub(super) async fn try_connect(&mut self, cut: usize) -> Result<bool, Failed> {
        self.socket = None;
        let fields: Vec<_> = self
            .fields
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let (mut socket, left) = match &self.carrier {
            Some(carrier) => {
                let io = carrier.open(self.query.clone(), self.offer()).await;
                let (wire, left) = Wire::new(io, cut);
                (
                    WebSocketStream::from_raw_socket(wire, Role::Client, None).await,
                    left,
                )
            }
            None => dial(&self.service, &self.query, &self.offer(), &fields, cut).await?,
        };
        let mut welcome = read(&mut socket).await.map_err(Failed::Broken)?;
        assert_eq!(welcome["type"], "__welcome", "{welcome}");
        self.welcome = welcome["payload"].take();
        self.token = self.welcome["session"].as_str().map(str::to_owned);
        (self.socket, self.left) = (Some(socket), left);
        let is_resumed = self.welcome["resumed"] == true;
        match is_resumed {
            true => self.forget_acknowledged(self.welcome["received"].as_u64().unwrap()),
            false => {
                (self.received, self.sent) = (0, 0);
                self.unacknowledged.clear();
            }
        }
        if self.acknowledges {
            self.acknowledge().await;
        }
        for frame in self.unacknowledged.clone() {
            self.write(&frame).await;
        }
        Ok(is_resumed)
    }

    fn forget_acknowledged(&mut self, n: u64) {
        assert!(n <= self.sent, "{n} of {} sent frames", self.sent);
        let left = usize::try_from(self.sent - n).unwrap();
        let acknowledged = self.unacknowledged.len().saturating_sub(left);
        self.unacknowledged.drain(..acknowledged);
        assert_eq!(
            self.unacknowledged.len(),
            left,
            "the server asks for an acknowledged frame"
        );
    }

    /// Writes a frame without counting it. A broken socket is no error.
    pub(super) async fn write(&mut self, frame: &Value) {
        if let Some(socket) = &mut self.socket {
            let _ = socket.send(Message::text(frame.to_string())).await;
        }
    }

    pub(super) async fn acknowledge(&mut self) {
        let ack = json!({ "type": "__ack", "payload": self.received });
        self.write(&ack).await;
    }

    /// Sends a counted frame.
    pub(super) async fn send(&mut self, frame: Value) {
        self.sent += 1;
        self.unacknowledged.push(frame.clone());
        self.write(&frame).await;
    }

    pub(super) async fn call(&mut self, route: &str, payload: Value, id: u64) {
        self.send(json!({ "type": route, "payload": payload, "rpcId": id }))
            .await;
    }

    /// Returns the next counted frame.
    pub(super) async fn try_next(&mut self) -> Result<Value, Broken> {
        loop {
            let frame = match &mut self.socket {
                Some(socket) => read(socket).await?,
                None => return Err(Broken::Gone),
            };
            match frame["type"].as_str() {
                Some("__ack") => self.forget_acknowledged(frame["payload"].as_u64().unwrap()),
                Some("__pong" | "__welcome") => {}
                _ => {
                    self.received += 1;
                    return Ok(frame);
                }
            }
        }
    }

    pub(super) async fn next(&mut self) -> Value {
        self.try_next().await.expect("a frame comes")
    }

    /// Waits until the server has handled everything that was sent before.
    pub(super) async fn ping(&mut self) {
        self.write(&json!({ "type": "__ping" })).await;
        let socket = self.socket.as_mut().unwrap();
        while read(socket).await.expect("a pong comes")["type"] != "__pong" {}
    }

    /// Returns the Close of the server, after whatever comes before it.
    pub(super) async fn closed(&mut self) -> Broken {
        loop {
            if let Err(broken) = self.try_next().await {
                return broken;
            }
        }
    }

    /// Cuts the connection, without a Close.
    pub(super) fn cut(&mut self) {
        self.left.store(0, Ordering::Relaxed);
        self.socket = None;
    }

    /// Cuts the connection after this number of bytes.
    pub(super) fn cut_after(&mut self, bytes: usize) {
        self.left.store(bytes, Ordering::Relaxed);
    }

    /// Closes the connection, and reads to its end.
    pub(super) async fn close(&mut self, code: u16, reason: &'static str) {
        let close = CloseFrame {
            code: CloseCode::from(code),
            reason: reason.into(),
        };
        let mut socket = self.socket.take().unwrap();
        let _ = socket.close((code != 1005).then_some(close)).await;
        while let Some(Ok(_)) = timeout(PATIENCE, socket.next()).await.expect("no answer comes") {}
    }
}
