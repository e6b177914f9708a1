//! WebSockets over HTTP/2 (RFC 8441), on axum and on hyper-util.

#![allow(clippy::unwrap_used, reason = "these are tests, and their helpers")]

use crate::common::{Server, listen, until};
use axum::{Router, routing::get};
use futures_util::{SinkExt, StreamExt};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::{
    body::{Bytes, Incoming},
    client::conn::http2::{self, SendRequest},
    ext::Protocol,
    upgrade::Upgraded,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::Role},
};
use zocket::{ClientId, Context, NoHeaders, Origins, UpgradeService, Zocket, origin::OriginLayer};

fn app() -> (Zocket<()>, UpgradeService) {
    let zo = Zocket::builder()
        .on_connect(async |_: NoHeaders, _: ClientId| Ok(()))
        .build();
    let echo = zo.message().handle(async |_: Context<()>| Ok("pong".to_owned()));
    let service = zo.serve(zo.router().incoming("ping", echo));
    (zo, service)
}

async fn on_axum(service: UpgradeService) -> Server {
    let app = Router::new()
        .route("/", get(async || "a page"))
        .route_service("/ws", service);
    listen(|listener| async move { axum::serve(listener, app).await.unwrap() }).await
}

async fn on_hyper_util(service: UpgradeService) -> Server {
    listen(|listener| async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(async move {
                let mut builder = auto::Builder::new(TokioExecutor::new());
                builder.http2().enable_connect_protocol();
                let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
                drop(connection.await);
            });
        }
    })
    .await
}

type Client = SendRequest<Empty<Bytes>>;

/// Opens one connection, for any number of requests.
async fn connect(server: &Server) -> Client {
    connect_by(TcpStream::connect(server.addr).await.unwrap()).await
}

async fn connect_by(stream: TcpStream) -> Client {
    let (client, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    client
}

async fn ask(client: &mut Client, change: impl FnOnce(&mut Request<Empty<Bytes>>)) -> Response<Incoming> {
    let mut request = Request::builder()
        .method(Method::CONNECT)
        .uri("http://localhost/ws?x=1")
        .header("sec-websocket-version", "13")
        .extension(Protocol::from_static("websocket"))
        .body(Empty::new())
        .unwrap();
    change(&mut request);
    client.send_request(request).await.unwrap()
}

type Socket = WebSocketStream<TokioIo<Upgraded>>;

async fn open(client: &mut Client) -> Socket {
    let response = ask(client, |_| ()).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(!response.headers().contains_key("sec-websocket-accept"));
    let upgraded = hyper::upgrade::on(response).await.unwrap();
    WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, None).await
}

async fn call(socket: &mut Socket, id: u32) -> Value {
    let frame = json!({ "type": "ping", "rpcId": id });
    socket.send(Message::text(frame.to_string())).await.unwrap();
    let answer = socket.next().await.unwrap().unwrap().into_text().unwrap();
    serde_json::from_str(&answer).unwrap()
}

async fn several_share_one_connection_with_a_page(zo: Zocket<()>, server: Server) {
    let mut client = connect(&server).await;
    let mut sockets = [open(&mut client).await, open(&mut client).await];
    for (id, socket) in (1..).zip(&mut sockets) {
        assert_eq!(
            call(socket, id).await,
            json!({ "type": "__rpc_res", "payload": "pong", "rpcId": id })
        );
    }
    assert_eq!(zo.connections(), 2);
    let [mut one, mut other] = sockets;
    one.close(None).await.unwrap();
    while let Some(Ok(_)) = one.next().await {}
    until(|| zo.connections() == 1).await;
    // The end of one stream leaves the others open.
    assert_eq!(call(&mut other, 9).await["rpcId"], 9);
    drop(other);
    until(|| zo.connections() == 0).await;
}

#[tokio::test]
async fn several_sockets_share_a_connection_on_axum() {
    let (zo, service) = app();
    let server = on_axum(service).await;
    several_share_one_connection_with_a_page(zo, server).await;
}

#[tokio::test]
async fn several_sockets_share_a_connection_on_hyper_util() {
    let (zo, service) = app();
    let server = on_hyper_util(service).await;
    several_share_one_connection_with_a_page(zo, server).await;
}

#[tokio::test]
async fn the_subprotocol_is_negotiated_as_over_http_1() {
    let (_zo, service) = app();
    let server = on_hyper_util(service).await;
    let mut client = connect(&server).await;
    let response = ask(&mut client, |request| {
        let offered = "zocket.v1.json".parse().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", offered);
    })
    .await;
    assert_eq!(response.headers()["sec-websocket-protocol"], "zocket.v1.json");
    let upgraded = hyper::upgrade::on(response).await.unwrap();
    let io = TokioIo::new(upgraded);
    let mut socket = WebSocketStream::from_raw_socket(io, Role::Client, None).await;
    let welcome = socket.next().await.unwrap().unwrap().into_text().unwrap();
    assert!(welcome.contains("__welcome"), "{welcome}");
}

/// Opens a socket that offers `zocket.refusals`, from a page of another origin. Returns what it receives.
async fn refused_by_a_close(server: &Server) {
    let mut client = connect(server).await;
    let request = |offered: &'static str| {
        move |request: &mut Request<Empty<Bytes>>| {
            let headers = request.headers_mut();
            headers.insert("origin", "https://other.example".parse().unwrap());
            headers.insert("sec-websocket-protocol", offered.parse().unwrap());
        }
    };
    let response = ask(&mut client, request("zocket.v1.json, zocket.refusals")).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["sec-websocket-protocol"], "zocket.v1.json");
    let io = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
    let mut socket = WebSocketStream::from_raw_socket(io, Role::Client, None).await;
    let error = socket.next().await.unwrap().unwrap().into_text().unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&error).unwrap(),
        json!({ "type": "__error", "payload": { "code": "FORBIDDEN", "message": "" } })
    );
    let Some(Ok(Message::Close(Some(close)))) = socket.next().await else {
        panic!("expected a Close")
    };
    assert_eq!(
        (u16::from(close.code), close.reason.as_str()),
        (3603, "FORBIDDEN")
    );
    assert!(socket.next().await.is_none());
    let response = ask(&mut client, request("zocket.v1.json")).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_refused_handshake_is_accepted_and_closed() {
    let origins = || Origins::list(["https://chat.example"]).unwrap();
    let zo = Zocket::builder().origins(origins()).build();
    refused_by_a_close(&on_hyper_util(zo.serve(zo.router())).await).await;
    refused_by_a_close(&on_axum(zo.serve(zo.router())).await).await;
    // axum applies the layer to the route.
    let (_zo, service) = app();
    let app = Router::new()
        .route_service("/ws", service)
        .layer(OriginLayer::new(origins()));
    let server = listen(|listener| async move { axum::serve(listener, app).await.unwrap() }).await;
    refused_by_a_close(&server).await;
}

#[tokio::test]
async fn a_request_that_opens_no_socket_gets_the_reason() {
    let (zo, service) = app();
    let server = on_hyper_util(service).await;
    let mut client = connect(&server).await;
    let told = async |response: Response<Incoming>| {
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap();
        (status, body["error"].as_str().unwrap().to_owned())
    };
    let get = ask(&mut client, |request| {
        *request.method_mut() = Method::GET;
        request.extensions_mut().clear();
    });
    let (status, why) = told(get.await).await;
    assert_eq!(status, 400);
    assert!(why.contains("CONNECT with `:protocol` websocket"), "{why}");
    let other = ask(&mut client, |request| {
        request
            .extensions_mut()
            .insert(Protocol::from_static("connect-udp"));
    });
    assert_eq!(told(other.await).await.0, 400);
    let old = ask(&mut client, |request| {
        request
            .headers_mut()
            .insert("sec-websocket-version", "8".parse().unwrap());
    });
    assert_eq!(told(old.await).await.0, 426);
    assert_eq!(zo.connections(), 0);
}

#[tokio::test]
async fn a_connection_that_breaks_ends_all_of_its_sockets() {
    let (zo, service) = app();
    let server = on_hyper_util(service).await;
    let stream = TcpStream::connect(server.addr).await.unwrap().into_std().unwrap();
    let cable = stream.try_clone().unwrap();
    let mut client = connect_by(TcpStream::from_std(stream).unwrap()).await;
    let _sockets = [open(&mut client).await, open(&mut client).await];
    assert_eq!(zo.connections(), 2);
    cable.shutdown(std::net::Shutdown::Both).unwrap();
    until(|| zo.connections() == 0).await;
}
