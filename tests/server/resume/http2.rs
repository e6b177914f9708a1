//! Sessions over HTTP/2 (RFC 8441): a stream breaks, a connection breaks, and a client changes the version.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::{FutureExt, future::BoxFuture};
use http::{Method, Request, StatusCode};
use http_body_util::Empty;
use hyper::{body::Bytes, client, ext::Protocol, server};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    task::AbortHandle,
};
use zocket::{Limits, Reason};

use super::{
    app::{Tick, start},
    peer::{Carrier, Peer, Service},
    wire::Duplex,
};
use crate::common::until;

/// A connection of HTTP/2 to an app.
struct Http2 {
    client: client::conn::http2::SendRequest<Empty<Bytes>>,
    /// The task that owns the client's end of the connection.
    connection: AbortHandle,
    /// Frames of the type RST_STREAM that the client has sent.
    resets: Arc<AtomicUsize>,
}

/// Type of a frame (RFC 9113, section 6.4).
const RST_STREAM: u8 = 3;

/// Passes on what the client sends, and counts its RST_STREAM frames.
async fn count_resets(
    mut client: impl AsyncRead + Unpin,
    mut server: impl AsyncWrite + Unpin,
    resets: Arc<AtomicUsize>,
) -> io::Result<()> {
    let mut preface = [0; 24];
    client.read_exact(&mut preface).await?;
    server.write_all(&preface).await?;
    loop {
        let mut head = [0; 9];
        client.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut frame = head.to_vec();
        frame.resize(9 + length as usize, 0);
        client.read_exact(&mut frame[9..]).await?;
        server.write_all(&frame).await?;
        if head[3] == RST_STREAM {
            resets.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Http2 {
    async fn connect(service: &impl Service) -> Arc<Self> {
        let (near, middle) = tokio::io::duplex(1 << 16);
        let (relay, far) = tokio::io::duplex(1 << 16);
        let resets = Arc::new(AtomicUsize::new(0));
        let counted = resets.clone();
        tokio::spawn(async move {
            let ((from_client, mut to_client), (mut from_server, to_server)) =
                (tokio::io::split(middle), tokio::io::split(relay));
            tokio::select! {
                _ = count_resets(from_client, to_server, counted) => {}
                _ = tokio::io::copy(&mut from_server, &mut to_client) => {}
            }
        });
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            let mut builder = server::conn::http2::Builder::new(TokioExecutor::new());
            builder.enable_connect_protocol();
            let _ = builder.serve_connection(TokioIo::new(far), service).await;
        });
        let handshake = client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(near));
        let (client, connection) = handshake.await.unwrap();
        let connection = tokio::spawn(connection).abort_handle();
        Arc::new(Self {
            client,
            connection,
            resets,
        })
    }

    /// Cuts the connection, without a GOAWAY.
    fn cut(&self) {
        self.connection.abort();
    }
}

impl Carrier for Http2 {
    fn open(&self, query: String, offers: String) -> BoxFuture<'static, Box<dyn Duplex>> {
        let mut client = self.client.clone();
        async move {
            let request = Request::builder()
                .method(Method::CONNECT)
                .uri(format!("http://in.memory/?{query}"))
                .header("sec-websocket-version", "13")
                .header("sec-websocket-protocol", offers)
                .extension(Protocol::from_static("websocket"))
                .body(Empty::new())
                .unwrap();
            let response = client.send_request(request).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
            let upgraded = hyper::upgrade::on(response).await.unwrap();
            Box::new(TokioIo::new(upgraded)) as Box<dyn Duplex>
        }
        .boxed()
    }
}

/// Returns a client whose first socket is on this connection.
async fn connected_by(service: &impl Service, carrier: &Arc<Http2>, query: &str) -> Peer {
    let mut peer = Peer::new(service, query);
    peer.carrier = Some(carrier.clone());
    assert!(!peer.connect().await, "there was no session");
    peer
}

#[tokio::test]
async fn a_session_goes_on_over_the_other_version_of_http() {
    for begins_with_http2 in [false, true] {
        let (world, zo, service) = start(Limits::default());
        let http2 = Http2::connect(&service).await;
        let mut ann = match begins_with_http2 {
            true => connected_by(&service, &http2, "name=ann").await,
            false => Peer::connected(&service, "name=ann").await,
        };
        let id = ann.welcome["clientId"].clone();
        for n in 0..6 {
            ann.call("add", json!(n), n).await;
            zo.emitter().send(Tick(n)).to_room("lobby").unwrap();
            ann.cut();
            ann.carrier = match ann.carrier {
                Some(_) => None,
                None => Some(http2.clone()),
            };
            assert!(ann.connect().await, "{n}");
            assert_eq!(ann.welcome["clientId"], id);
            let frames = [ann.next().await, ann.next().await];
            let is_there = |frame: &Value| frames.contains(frame);
            assert!(is_there(&json!({"type": "tick", "payload": n})), "{frames:?}");
            assert!(
                is_there(&json!({"type": "__rpc_res", "payload": n, "rpcId": n})),
                "{frames:?}"
            );
        }
        assert_eq!(
            (world.added(), world.connected()),
            ((0..6).collect::<Vec<_>>(), 1)
        );
        ann.close(1000, "bye").await;
        world.until_departed(1).await;
    }
}

#[tokio::test]
async fn a_reset_stream_parks_its_session_alone() {
    let (world, zo, service) = start(Limits::default());
    let http2 = Http2::connect(&service).await;
    let mut ann = connected_by(&service, &http2, "name=ann").await;
    let mut bob = connected_by(&service, &http2, "name=bob").await;
    ann.ping().await;
    ann.cut();
    until(|| http2.resets.load(Ordering::SeqCst) == 1).await;
    zo.emitter().send(Tick(1)).to_room("lobby").unwrap();
    assert_eq!(bob.next().await["payload"], 1);
    bob.ping().await;
    assert_eq!(world.departed(), []);
    assert_eq!(zo.connections(), 2);
    assert!(ann.connect().await, "on a new stream of the connection");
    assert_eq!(ann.next().await["payload"], 1);
    bob.call("add", json!(7), 1).await;
    assert_eq!(bob.next().await["rpcId"], 1);
}

#[tokio::test]
async fn a_connection_that_breaks_parks_all_of_its_sessions() {
    let (world, zo, service) = start(Limits::default());
    let http2 = Http2::connect(&service).await;
    let mut peers = Vec::new();
    for name in ["ann", "bob"] {
        let mut peer = connected_by(&service, &http2, &format!("name={name}")).await;
        peer.ping().await;
        peers.push(peer);
    }
    for peer in &mut peers {
        peer.call("gate", json!(null), 1).await;
        peer.ping().await;
    }
    http2.cut();
    for _ in &peers {
        world.open_gate();
    }
    zo.emitter().send(Tick(9)).to_room("lobby").unwrap();
    // One comes back over another connection, the other one over HTTP/1.1.
    peers[0].carrier = Some(Http2::connect(&service).await);
    peers[1].carrier = None;
    for peer in &mut peers {
        assert!(peer.connect().await);
        let mut answers = 0;
        let mut ticks = Vec::new();
        while answers < 1 || ticks.len() < 5 {
            let frame = peer.next().await;
            match frame["type"].as_str() {
                Some("tick") => ticks.push(frame["payload"].as_u64().unwrap()),
                _ => answers += 1,
            }
        }
        ticks.sort_unstable();
        assert_eq!(ticks, [0, 0, 1, 1, 9], "of two handlers and the emitter");
        peer.close(1000, "bye").await;
    }
    world.until_departed(2).await;
    let all_left = world
        .departed()
        .into_iter()
        .all(|(_, reason)| matches!(reason, Reason::ClosedByPeer(_)));
    assert!(all_left);
}

#[tokio::test]
async fn a_session_is_taken_over_from_a_stream_that_is_still_open() {
    let (world, _, service) = start(Limits::default());
    let http2 = Http2::connect(&service).await;
    let mut ann = connected_by(&service, &http2, "name=ann").await;
    ann.ping().await;
    let mut old = ann.socket.take().unwrap();
    assert!(ann.connect().await);
    let closed = super::peer::read(&mut old).await;
    assert_eq!(
        closed,
        Err(super::peer::Broken::Closed(3501, "replaced".to_owned()))
    );
    ann.ping().await;
    assert_eq!(world.departed(), []);
}
