//! A server and clients of the base protocol, over real sockets on loopback.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    reason = "each test file uses what it needs"
)]

pub mod raw;

use std::{
    fmt,
    net::{SocketAddr, ToSocketAddrs},
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use hyper::{
    body::{Body, Incoming},
    server::conn::http1,
};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::AbortHandle,
    time::timeout,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, client_async, connect_async,
    tungstenite::{self, Message, client::IntoClientRequest, handshake::client::Response, http},
};
use tower::{BoxError, Service};

/// Upper bound for every wait of a test.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Serves an app on a free loopback port until it is dropped.
pub struct Server {
    pub addr: SocketAddr,
    /// Path that clients connect to.
    pub path: &'static str,
    accepting: AbortHandle,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Serves an app's `UpgradeService`, or a service around it.
pub async fn serve<S, B>(service: S) -> Server
where
    S: Service<http::Request<Incoming>, Response = http::Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    serve_by(service, http1::Builder::new()).await
}

/// Serves an app with a custom HTTP server.
pub async fn serve_by<S, B>(service: S, builder: http1::Builder) -> Server
where
    S: Service<http::Request<Incoming>, Response = http::Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    listen(move |listener| async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                continue;
            };
            let (service, http) = (TowerToHyperService::new(service.clone()), builder.clone());
            tokio::spawn(async move {
                let _ = http
                    .serve_connection(TokioIo::new(stream), service)
                    .with_upgrades()
                    .await;
            });
        }
    })
    .await
}

/// Runs an HTTP server on a free port.
pub async fn listen<Fut>(run: impl FnOnce(TcpListener) -> Fut) -> Server
where
    Fut: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let accepting = tokio::spawn(run(listener));
    Server {
        addr,
        path: "/",
        accepting: accepting.abort_handle(),
    }
}

/// Returns `localhost`, or its address on a system that does not know the name.
pub fn localhost() -> &'static str {
    match ("localhost", 0).to_socket_addrs() {
        Ok(_) => "localhost",
        Err(_) => "127.0.0.1",
    }
}

/// Serves nothing: gives each connection to the test.
pub async fn listen_for_streams() -> (Server, mpsc::Receiver<TcpStream>) {
    let (arriving, streams) = mpsc::channel(8);
    let server = listen(move |listener| async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            if arriving.send(stream).await.is_err() {
                return;
            }
        }
    });
    (server.await, streams)
}

/// Connects to an app, or to the layers around it, over a pipe, so that tokio's clock can be paused. Returns the status and
/// the body of a refusal.
pub async fn connect_in_memory<S, B>(service: &S, query: &str) -> Result<Client<DuplexStream>, (u16, Value)>
where
    S: Service<http::Request<Incoming>, Response = http::Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let request = format!("ws://in.memory/?{query}").into_client_request();
    connect_in_memory_by(service, request.unwrap()).await
}

/// Connects like [`connect_in_memory`], by the extended protocol. The next frame is the welcome.
pub async fn extended_in_memory<S, B>(service: &S) -> Client<DuplexStream>
where
    S: Service<http::Request<Incoming>, Response = http::Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let mut request = "ws://in.memory/".into_client_request().unwrap();
    let offer = http::HeaderValue::from_static("zocket.v1.json");
    request.headers_mut().insert("sec-websocket-protocol", offer);
    connect_in_memory_by(service, request).await.unwrap()
}

async fn connect_in_memory_by<S, B>(
    service: &S,
    request: http::Request<()>,
) -> Result<Client<DuplexStream>, (u16, Value)>
where
    S: Service<http::Request<Incoming>, Response = http::Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let (near, far) = tokio::io::duplex(1 << 16);
    let service = TowerToHyperService::new(service.clone());
    tokio::spawn(async move {
        let serving = http1::Builder::new().serve_connection(TokioIo::new(far), service);
        let _ = serving.with_upgrades().await;
    });
    let handshake = timeout(PATIENCE, client_async(request, near)).await;
    Client::after(handshake.expect("the handshake takes too long"))
}

/// A client of the base protocol.
pub struct Client<T = MaybeTlsStream<TcpStream>> {
    pub socket: WebSocketStream<T>,
    next_id: u64,
    /// Events that arrived before an awaited answer.
    events: std::collections::VecDeque<Value>,
}

impl Server {
    pub fn url(&self, query: &str) -> String {
        format!("ws://{}{}?{query}", self.addr, self.path)
    }

    /// Connects with these query parameters.
    pub async fn connect(&self, query: &str) -> Client {
        self.try_connect(query, &[])
            .await
            .unwrap_or_else(|(status, body)| panic!("refused: {status} {body}"))
    }

    /// Connects with query parameters and header fields. Returns the status and the body of a refused handshake.
    pub async fn try_connect(&self, query: &str, headers: &[(&str, &str)]) -> Result<Client, (u16, Value)> {
        let mut request = self.url(query).into_client_request().unwrap();
        for (name, value) in headers {
            let name = http::HeaderName::try_from(*name).unwrap();
            request.headers_mut().append(name, value.parse().unwrap());
        }
        let handshake = timeout(PATIENCE, connect_async(request)).await;
        Client::after(handshake.expect("the handshake takes too long"))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Client<T> {
    pub fn new(socket: WebSocketStream<T>) -> Self {
        Self {
            socket,
            next_id: 0,
            events: Default::default(),
        }
    }

    fn after(
        handshake: Result<(WebSocketStream<T>, Response), tungstenite::Error>,
    ) -> Result<Self, (u16, Value)> {
        match handshake {
            Ok((socket, _)) => Ok(Self::new(socket)),
            Err(tungstenite::Error::Http(response)) => {
                let body = response.body().as_deref().unwrap_or_default();
                let text = || Value::String(String::from_utf8_lossy(body).into_owned());
                Err((
                    response.status().as_u16(),
                    serde_json::from_slice(body).unwrap_or_else(|_| text()),
                ))
            }
            Err(error) => panic!("no handshake: {error}"),
        }
    }

    pub async fn send_text(&mut self, text: impl Into<String>) {
        self.socket.send(Message::text(text.into())).await.unwrap();
    }

    pub async fn send(&mut self, frame: Value) {
        self.send_text(frame.to_string()).await;
    }

    /// Returns the next frame of any type.
    pub async fn next(&mut self) -> Value {
        match self.events.pop_front() {
            Some(event) => event,
            None => self.read().await,
        }
    }

    /// Returns the payload of the next frame, which must be an event of this type.
    #[track_caller]
    pub fn event(&mut self, event_type: &'static str) -> impl Future<Output = Value> {
        let place = std::panic::Location::caller();
        async move {
            let mut frame = self.next().await;
            assert_eq!(frame["type"], event_type, "{place}: {frame}");
            frame["payload"].take()
        }
    }

    async fn read(&mut self) -> Value {
        loop {
            match timeout(PATIENCE, self.socket.next())
                .await
                .expect("no frame comes")
            {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).unwrap(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("expected a frame, got {other:?}"),
            }
        }
    }

    /// Calls a route. Events that arrive before the answer stay available to `next`.
    pub async fn call(&mut self, route: &str, payload: Value) -> Result<Option<Value>, Refusal> {
        let id = self.begin(route, payload).await;
        self.answer(&id).await
    }

    /// Sends a call without waiting for its answer. Returns its id.
    pub async fn begin(&mut self, route: &str, payload: Value) -> Value {
        self.next_id += 1;
        let id = json!(format!("id-{}", self.next_id));
        self.send(json!({ "type": route, "payload": payload, "rpcId": id }))
            .await;
        id
    }

    /// Waits for the answer to a call, or its refusal.
    pub async fn answer(&mut self, id: &Value) -> Result<Option<Value>, Refusal> {
        let is_answer = |frame: &Value| {
            frame["type"].as_str().is_some_and(|t| t.starts_with("__rpc_")) && frame["rpcId"] == *id
        };
        let mut frame = loop {
            if let Some(position) = self.events.iter().position(is_answer) {
                break self.events.remove(position).unwrap();
            }
            let frame = self.read().await;
            self.events.push_back(frame);
        };
        if frame["type"] == "__rpc_res" {
            return Ok(frame.get_mut("payload").map(Value::take));
        }
        assert_eq!(frame["type"], "__rpc_err", "{frame}");
        Err(Refusal(frame["error"].take()))
    }

    /// Asserts that no event arrives up to the answer of one more message. (That message has no route, so its answer is
    /// a refusal.)
    pub async fn expect_nothing(&mut self) {
        let refusal = self.call("no.such.route", Value::Null).await.unwrap_err();
        assert_eq!(refusal.code(), "NOT_FOUND");
        assert!(self.events.is_empty(), "{:?}", self.events);
    }

    /// Returns the code and the reason of the server's Close. Skips the frames before it.
    pub async fn closed(&mut self) -> (u16, String) {
        loop {
            match timeout(PATIENCE, self.socket.next())
                .await
                .expect("no Close comes")
            {
                Some(Ok(Message::Close(Some(frame)))) => {
                    return (frame.code.into(), frame.reason.to_string());
                }
                Some(Ok(_)) => {}
                other => panic!("expected a Close, got {other:?}"),
            }
        }
    }

    /// Closes, and waits for the server's Close.
    pub async fn close(mut self) {
        self.socket.close(None).await.unwrap();
        while let Some(Ok(_)) = timeout(PATIENCE, self.socket.next())
            .await
            .expect("no Close comes")
        {}
    }
}

/// The refusal of a call.
#[derive(Clone, PartialEq)]
pub struct Refusal(pub Value);

impl Refusal {
    pub fn code(&self) -> &str {
        self.0["code"].as_str().unwrap()
    }

    pub fn message(&self) -> &str {
        self.0["message"].as_str().unwrap()
    }

    /// Returns path and code of each issue: `text: min_length`.
    pub fn issues(&self) -> Vec<String> {
        let path = |issue: &Value| {
            let segments = issue["path"].as_array().unwrap().iter();
            segments
                .map(|s| s.as_str().map_or_else(|| s.to_string(), Into::into))
                .collect::<Vec<_>>()
                .join(".")
        };
        let issues = self.0["issues"].as_array().map(Vec::as_slice).unwrap_or_default();
        issues
            .iter()
            .map(|issue| format!("{}: {}", path(issue), issue["code"].as_str().unwrap()))
            .collect()
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Waits until the condition holds.
pub async fn until(mut holds: impl FnMut() -> bool) {
    timeout(PATIENCE, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await
    .expect("it never holds");
}
