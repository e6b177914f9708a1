//! Servers that crash, misbehave or refuse.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use futures_util::{SinkExt, StreamExt};
use http::HeaderValue;
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{ErrorResponse, Request, Response},
    },
};
use zocket::ClientId;

use super::{
    common::{self, PATIENCE, Server},
    world::World,
};

/// A port that stays bound, with a server or without: no other process can take it in between.
pub struct Port(std::net::TcpListener);

impl Port {
    /// Binds a free port.
    pub fn new() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    pub fn url(&self, query: &str) -> String {
        format!("ws://{}?{query}", self.0.local_addr().unwrap())
    }

    fn listener(&self) -> std::net::TcpListener {
        self.0.try_clone().unwrap()
    }

    /// Accepts connections and drops them, until `work` is done.
    pub async fn hang_up_during<T>(&self, work: impl Future<Output = T>) -> T {
        let listener = TcpListener::from_std(self.listener()).unwrap();
        let hanging_up = async {
            loop {
                drop(listener.accept().await.unwrap());
            }
        };
        tokio::select! {
            done = work => done,
            () = hanging_up => unreachable!("it never ends"),
        }
    }
}

/// A server with its own runtime. Dropping it closes all of its sockets.
pub struct Mortal {
    runtime: Runtime,
}

impl Mortal {
    pub async fn serve(world: &World, port: &Port) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (app, listener) = (world.app().0, port.listener());
        let serving = async move {
            let listener = TcpListener::from_std(listener).unwrap();
            tokio::spawn(async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let service = TowerToHyperService::new(app.clone());
                    let http = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                    tokio::spawn(http.with_upgrades());
                }
            });
        };
        runtime.spawn(serving).await.unwrap();
        Self { runtime }
    }

    pub async fn die(self) {
        let dying = tokio::task::spawn_blocking(move || self.runtime.shutdown_timeout(PATIENCE));
        dying.await.unwrap();
    }
}

pub type ServerSide = WebSocketStream<TcpStream>;

/// Starts a scripted server: `behave` gets each connection after its welcome.
pub async fn fake<Fut>(behave: impl Fn(ServerSide, u32) -> Fut + Send + Sync + 'static) -> Server
where
    Fut: Future<Output = ()> + Send,
{
    fake_with(&(), move |socket, n, ()| behave(socket, n)).await
}

/// Like [`fake`], with state that connections share with the test.
pub async fn fake_with<T, Fut>(
    shared: &T,
    behave: impl Fn(ServerSide, u32, T) -> Fut + Send + Sync + 'static,
) -> Server
where
    T: Clone + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send,
{
    fake_welcoming(json!({ "limits": { "message": 1 << 20 } }), shared, behave).await
}

/// Like [`fake_with`], with members of the welcome beside the client's id and the contract.
pub async fn fake_welcoming<T, Fut>(
    members: Value,
    shared: &T,
    behave: impl Fn(ServerSide, u32, T) -> Fut + Send + Sync + 'static,
) -> Server
where
    T: Clone + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send,
{
    let shared = shared.clone();
    common::listen(move |listener| async move {
        for n in 1.. {
            let (stream, _) = listener.accept().await.unwrap();
            #[allow(clippy::result_large_err, reason = "the library's")]
            let pick = |_: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
                let codec = HeaderValue::from_static("zocket.v1.json");
                response.headers_mut().insert("sec-websocket-protocol", codec);
                Ok(response)
            };
            let mut socket = accept_hdr_async(stream, pick).await.unwrap();
            let mut payload = members.clone();
            payload["clientId"] = json!(ClientId::random());
            payload["contract"] = json!("0");
            let welcome = json!({ "type": "__welcome", "payload": payload });
            socket.send(Message::text(welcome.to_string())).await.unwrap();
            behave(socket, n, shared.clone()).await;
        }
    })
    .await
}

/// Starts a server that answers each handshake with this response, and counts the handshakes.
pub async fn refusing(answer: &'static str) -> (Server, Arc<AtomicU32>) {
    let count = Arc::new(AtomicU32::new(0));
    let counting = count.clone();
    let server = common::listen(move |listener| async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.unwrap());
            }
            counting.fetch_add(1, Ordering::SeqCst);
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (server.await, count)
}

/// Reads until end of file.
pub async fn drain(mut socket: ServerSide) {
    while let Some(Ok(_)) = socket.next().await {}
}
