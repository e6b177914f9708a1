//! The HTTP server of `zocket::server`: its limits, its peers' addresses, its end.

use std::{net::SocketAddr, time::Duration};

use http::request::Parts;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    time::{Instant, timeout},
};
use zocket::{
    ClientId, Connection, Context, NoHeaders, UpgradeService, Zocket,
    layers::{Quota, QuotaLayer},
    server::{self, HEAD_TIMEOUT, MAX_HEAD, PeerAddr},
};

use crate::common::{PATIENCE, Server, listen, localhost, raw::handshake};

/// Returns an app with a route that answers the peer's address.
fn app() -> (Zocket<Option<SocketAddr>>, UpgradeService) {
    let zo = Zocket::builder()
        .on_connect(async |_: NoHeaders, _: ClientId, request: Parts| {
            Ok(request.extensions.get::<PeerAddr>().map(|peer| peer.0))
        })
        .any_origin()
        .build();
    let peer = zo
        .message()
        .handle(async |cx: Context<Option<SocketAddr>>| Ok(cx.map(|peer| peer.ip().to_string())));
    let service = zo.serve(zo.router().incoming("peer", peer));
    (zo, service)
}

async fn site() -> Server {
    let (_, service) = app();
    listen(|listener| server::serve(listener, service)).await
}

/// Returns the status line of the answer to a handshake whose head has this length. `fill` makes the additional fields
/// that fill up a number of bytes.
async fn answer(server: &Server, length: usize, fill: impl Fn(usize) -> String) -> String {
    let fields = fill(length - handshake("").len());
    let head = handshake(&fields);
    assert_eq!(head.len(), length);
    let mut raw = server.dial().await;
    // The server may answer and hang up before it has read everything.
    let _ = raw.try_write(head.as_bytes()).await;
    let answer = raw.read_http().await;
    answer.lines().next().unwrap_or_default().to_owned()
}

fn one_field(bytes: usize) -> String {
    format!("X-Fill: {}\r\n", "x".repeat(bytes - "X-Fill: \r\n".len()))
}

/// Fills with fields of 512 bytes.
fn many_fields(bytes: usize) -> String {
    let (whole, rest) = (bytes / 512 - 1, bytes % 512 + 512);
    (0..whole)
        .map(|_| one_field(512))
        .chain([one_field(rest)])
        .collect()
}

#[tokio::test]
async fn heads_of_up_to_16_kib_are_read_and_larger_ones_get_431() {
    let server = site().await;
    for length in [1_000, 8 << 10, 15 << 10, MAX_HEAD] {
        for fill in [one_field, many_fields] {
            assert!(
                answer(&server, length, fill).await.starts_with("HTTP/1.1 101 "),
                "{length}"
            );
        }
    }
    for length in [MAX_HEAD + 1, 17 << 10, 20 << 10, 64 << 10, 390 << 10] {
        let answer = answer(&server, length, one_field).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{length}: {answer}");
    }
    let answer = answer(&server, 20 << 10, many_fields).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test]
async fn a_url_counts_as_part_of_the_head() {
    let server = site().await;
    for (length, status) in [(15 << 10, "101"), (20 << 10, "431")] {
        let mut raw = server.dial().await;
        let head = handshake("").replace("GET / ", &format!("GET /?{} ", "x".repeat(length)));
        let _ = raw.try_write(head.as_bytes()).await;
        let answer = raw.read_http().await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{length}: {answer}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_end_within_10_s_is_given_up() {
    for sent in [
        "",
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: 1",
    ] {
        let (mut near, far) = tokio::io::duplex(1 << 16);
        let (_, service) = app();
        let connection =
            server::http1().serve_connection(TokioIo::new(far), TowerToHyperService::new(service));
        tokio::spawn(connection.with_upgrades());
        let start = Instant::now();
        near.write_all(sent.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        near.read_to_end(&mut answer).await.unwrap();
        assert_eq!(start.elapsed().as_secs(), HEAD_TIMEOUT.as_secs(), "{sent:?}");
    }
}

#[tokio::test]
async fn connections_wait_in_the_backlog() {
    let listener = server::listen("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    // More than the 128 of the standard library, where the system permits it. Nothing accepts them.
    let most = std::fs::read_to_string("/proc/sys/net/core/somaxconn")
        .map_or(600, |most| most.trim().parse().unwrap());
    let mut waiting = Vec::new();
    for _ in 0..most.min(600) {
        let connected = timeout(PATIENCE, TcpStream::connect(addr)).await;
        waiting.push(connected.expect("the backlog is full").unwrap());
    }
    for _ in 0..waiting.len() {
        timeout(PATIENCE, server::accept(&listener)).await.unwrap();
    }
}

#[tokio::test]
async fn names_are_looked_up_and_bad_addresses_are_errors() {
    for addr in ["127.0.0.1:0", &format!("{}:0", localhost())] {
        let listener = server::listen(addr).await.unwrap();
        assert!(listener.local_addr().unwrap().ip().is_loopback());
        // The port is in use.
        let again = server::listen(listener.local_addr().unwrap()).await;
        assert_eq!(again.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
    }
    for addr in ["127.0.0.1", "", "127.0.0.1:70000"] {
        assert!(server::listen(addr).await.is_err(), "{addr:?}");
    }
    assert!(server::listen(&[][..] as &[SocketAddr]).await.is_err());
}

#[tokio::test]
async fn requests_carry_the_peers_address() {
    let server = site().await;
    let mut client = server.connect("").await;
    let peer = client.call("peer", Value::Null).await.unwrap();
    assert_eq!(peer, Some(json!("127.0.0.1")));
}

#[tokio::test]
async fn messages_find_the_peers_address_in_their_connection() {
    let (send, mut seen) = tokio::sync::mpsc::channel(1);
    let find = move |connection: &Connection| {
        let addr = connection.peer_addr();
        let is_extension_too = connection.extensions().get::<PeerAddr>().is_some();
        let _ = send.try_send((addr, is_extension_too));
        addr.map(|addr| addr.ip())
    };
    let zo = Zocket::builder()
        .layer(QuotaLayer::per_address(
            Quota::new(2, Duration::from_secs(3_600)),
            find,
        ))
        .build();
    let echo = zo.message().handle(async |_: Context<()>| Ok(()));
    let service = zo.serve(zo.router().incoming("echo", echo));
    let server = listen(|listener| server::serve(listener, service)).await;
    let mut client = server.connect("").await;
    client.call("echo", Value::Null).await.unwrap();
    let (addr, is_extension_too) = seen.recv().await.unwrap();
    assert_eq!(addr.unwrap().ip().to_string(), "127.0.0.1");
    // Kept once, because an extension takes eight times as much memory.
    assert!(!is_extension_too);
}

#[tokio::test]
async fn a_stopped_server_answers_requests_in_progress_and_leaves_websockets_to_the_app() {
    let (zo, service) = app();
    let (begun, mut has_begun) = tokio::sync::mpsc::channel(1);
    let (answer, answered) = oneshot::channel::<()>();
    let answered = std::sync::Arc::new(tokio::sync::Mutex::new(Some(answered)));
    let pages = axum::Router::new().route_service("/", service).route(
        "/slow",
        axum::routing::get(async move || {
            begun.send(()).await.unwrap();
            let answered = answered.lock().await.take().unwrap();
            answered.await.unwrap();
            "done"
        }),
    );
    let (stop, stopped) = oneshot::channel::<()>();
    let (ended, has_ended) = oneshot::channel();
    let server = listen(|listener| async move {
        server::serve_until(listener, pages, async { drop(stopped.await) }).await;
        ended.send(()).unwrap();
    })
    .await;

    let mut client = server.connect("").await;
    let mut slow = server.dial().await;
    slow.write(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    has_begun.recv().await.unwrap();
    stop.send(()).unwrap();
    // The listener is closed, while the request is still in progress.
    while TcpStream::connect(server.addr).await.is_ok() {
        tokio::task::yield_now().await;
    }
    answer.send(()).unwrap();
    let head = slow.read_http().await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    timeout(PATIENCE, has_ended).await.unwrap().unwrap();

    assert!(client.call("peer", Value::Null).await.is_ok());
    assert_eq!(zo.connections(), 1);
    tokio::spawn(async move { zo.shutdown(Duration::from_secs(5)).await });
    assert_eq!(client.closed().await.0, 1001);
}

#[tokio::test]
async fn the_graceful_shutdown_of_axum_and_that_of_the_app_end_together() {
    let zo = Zocket::builder().build();
    let (begun, mut has_begun) = tokio::sync::mpsc::channel(1);
    let gate = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let open = gate.clone();
    let wait = zo.message().handle(move |_: Context| {
        let (begun, gate) = (begun.clone(), gate.clone());
        async move {
            begun.send(()).await.unwrap();
            drop(gate.acquire().await.unwrap());
            Ok("done")
        }
    });
    let service = zo.serve(zo.router().incoming("wait", wait));
    let app = axum::Router::new().route_service("/", service);
    let (stop, stopped) = oneshot::channel::<()>();
    let (ended, has_ended) = oneshot::channel();
    let server = listen(|listener| async move {
        let serving = axum::serve(listener, app);
        serving
            .with_graceful_shutdown(async { drop(stopped.await) })
            .await
            .unwrap();
        ended.send(()).unwrap();
    })
    .await;
    let mut client = server.connect("").await;
    let id = client.begin("wait", Value::Null).await;
    has_begun.recv().await.unwrap();

    stop.send(()).unwrap();
    let shutdown = tokio::spawn({
        let zo = zo.clone();
        async move { zo.shutdown(PATIENCE).await }
    });
    while TcpStream::connect(server.addr).await.is_ok() {
        tokio::task::yield_now().await;
    }
    // axum does not wait for a WebSocket.
    timeout(PATIENCE, has_ended).await.unwrap().unwrap();
    open.add_permits(1);
    assert_eq!(client.answer(&id).await.unwrap().unwrap(), "done");
    assert_eq!(client.closed().await.0, 1001);
    drop(client);
    assert_eq!(timeout(PATIENCE, shutdown).await.unwrap().unwrap(), 0);
}
