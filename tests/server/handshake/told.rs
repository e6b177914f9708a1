//! Refused handshakes of clients that offer `zocket.refusals`: a WebSocket with one `__error`, and a Close.

use std::{convert::Infallible, time::Duration};

use common::{
    raw::{CLOSE, FIN, Raw, TEXT, frame, handshake, head},
    serve_by, until,
};
use http::{Request, Response};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use parking_lot::Mutex;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    sync::Semaphore,
    time::Instant,
};
use tower::{Layer, ServiceBuilder};
use zocket::{
    AppLimits, Code, Error, Origins, Shutdown,
    address::AddressLimitLayer,
    layers::{Frame, Quota},
    origin::OriginLayer,
};

use super::*;

const OFFER: (&str, &str) = ("sec-websocket-protocol", "zocket.v1.json, zocket.refusals");

#[derive(Deserialize, JsonSchema, Validate)]
struct Wish {
    /// Code of the refusal. `WAIT` waits for the gate.
    #[garde(length(max = 30))]
    code: String,
    #[garde(range(max = 9))]
    seat: Option<u8>,
}

#[derive(Clone)]
struct World {
    gate: Arc<Semaphore>,
    runs: Arc<AtomicUsize>,
    messages: Arc<AtomicUsize>,
}

impl World {
    fn new() -> Self {
        Self {
            gate: Arc::new(Semaphore::new(0)),
            runs: Runs::default(),
            messages: Runs::default(),
        }
    }
}

async fn connect(world: World, wish: Wish, _: ClientId) -> Result<World, Error> {
    world.runs.fetch_add(1, Ordering::SeqCst);
    match &*wish.code {
        "NONE" => Ok(world),
        "WAIT" => {
            let _permit = world.gate.acquire().await;
            Err(Error::unauthorized("log in first"))
        }
        "PANIC" => panic!("hunter2"),
        "TOO_MANY_REQUESTS" => Err(Error::too_many_requests(Duration::from_millis(1_500))),
        "INTERNAL_SERVER_ERROR" => Err(Error::internal("hunter2")),
        "ROOM_FULL" => Err(Error::new(Code::app("ROOM_FULL"), "no seats are left")),
        code => {
            let known = Code::PROTOCOL.into_iter().find(|known| known.as_str() == code);
            Err(Error::new(known.unwrap(), "as you wish"))
        }
    }
}

fn refusing(world: &World) -> (Zocket<World>, UpgradeService) {
    let zo = Zocket::builder()
        .on_connect_with(world.clone(), connect)
        .origins(Origins::list(["https://chat.example"]).unwrap())
        .build();
    let count = zo.message().handle(async |cx: Context<World>| {
        cx.messages.fetch_add(1, Ordering::SeqCst);
        Ok(())
    });
    let service = zo.serve(zo.router().incoming("count", count));
    (zo, service)
}

async fn site() -> Server {
    serve(refusing(&World::new()).1).await
}

/// Returns the payload of the `__error` and the Close that a refused client receives. Nothing else comes.
async fn told(server: &Server, query: &str, fields: &[(&str, &str)]) -> (Value, (u16, String)) {
    let fields: Vec<_> = fields.iter().copied().chain([OFFER]).collect();
    let mut client = server.try_connect(query, &fields).await.expect("a WebSocket");
    let frame = client.next().await;
    let error = frame["payload"].clone();
    assert_eq!(frame, json!({ "type": "__error", "payload": error }));
    (error, client.closed().await)
}

/// Opens a WebSocket that is refused, and reads up to its Close. Does not close.
async fn left_open(server: &Server) -> Raw {
    let mut raw = server.dial().await;
    raw.write(unauthorized().as_bytes()).await;
    let answer = raw.read_http().await;
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    assert!(raw.read_text().await.starts_with(r#"{"type":"__error""#));
    raw.closed().await;
    raw
}

fn unauthorized() -> String {
    let fields = format!("{}: {}\r\n", OFFER.0, OFFER.1);
    handshake(&fields).replacen("GET / ", "GET /?code=UNAUTHORIZED ", 1)
}

#[tokio::test]
async fn each_refusal_of_on_connect_has_its_close_code() {
    let server = site().await;
    let mut codes = vec![("ROOM_FULL", 3600)];
    codes.extend(Code::PROTOCOL.map(|code| {
        let close = match code {
            Code::UNAUTHORIZED => 3601,
            Code::FORBIDDEN => 3603,
            Code::NOT_FOUND => 3604,
            Code::CONFLICT => 3609,
            Code::PRECONDITION_FAILED => 3612,
            Code::PAYLOAD_TOO_LARGE => 3613,
            Code::TOO_MANY_REQUESTS => 3129,
            Code::INTERNAL_SERVER_ERROR => 3200,
            Code::OVERLOADED => 3203,
            Code::TIMEOUT => 3204,
            _ => 3600,
        };
        (code.as_str(), close)
    }));
    for (code, close) in codes {
        let (mut error, closed) = told(&server, &format!("code={code}"), &[]).await;
        assert_eq!(closed, (close, code.to_owned()));
        let message = error["message"].take();
        let message = message.as_str().unwrap();
        let expected = match code {
            "TOO_MANY_REQUESTS" => {
                json!({ "code": code, "message": null, "retryAfterMs": 1_500 })
            }
            _ => json!({ "code": code, "message": null }),
        };
        assert_eq!(error, expected);
        let usual = match code {
            "ROOM_FULL" => "no seats are left",
            "TOO_MANY_REQUESTS" => "too many requests",
            "INTERNAL_SERVER_ERROR" => "internal error ",
            _ => "as you wish",
        };
        assert!(message.starts_with(usual), "{message}");
    }
    let (error, closed) = told(&server, "code=PANIC", &[]).await;
    assert_eq!(closed, (3200, "INTERNAL_SERVER_ERROR".to_owned()));
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[tokio::test]
async fn every_issue_of_the_headers_is_told() {
    let world = World::new();
    let server = serve(refusing(&world).1).await;
    let (error, closed) = told(&server, "seat=10", &[]).await;
    assert_eq!(closed, (3600, "BAD_REQUEST".to_owned()));
    assert_eq!(error["code"], "BAD_REQUEST");
    let issues = error["issues"].as_array().unwrap().iter();
    let mut issues: Vec<_> = issues.map(|issue| (&issue["path"][0], &issue["code"])).collect();
    issues.sort_by_key(|(path, _)| path.to_string());
    assert_eq!(
        issues,
        [
            (&json!("code"), &json!("required")),
            (&json!("seat"), &json!("maximum"))
        ]
    );
    assert_eq!(world.runs.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn the_codec_is_echoed_and_no_modifier() {
    let server = site().await;
    let lines =
        "Sec-WebSocket-Protocol: zocket.refusals, zocket.flow\r\nSec-WebSocket-Protocol: zocket.v1.json\r\n";
    let mut raw = server.dial().await;
    raw.write(
        handshake(lines)
            .replacen("GET / ", "GET /?code=NOT_FOUND ", 1)
            .as_bytes(),
    )
    .await;
    let answer = raw.read_http().await.to_ascii_lowercase();
    assert!(
        answer.contains("\r\nsec-websocket-protocol: zocket.v1.json\r\n"),
        "{answer}"
    );
    assert!(raw.read_text().await.contains("NOT_FOUND"));
    assert_eq!(raw.closed().await.0, 3604);
}

#[tokio::test]
async fn clients_that_do_not_offer_it_get_the_http_status() {
    let server = site().await;
    for offer in [
        "",
        "zocket.v1.json",
        "zocket.v1.json, zocket.flow",
        "zocket.v1.json, Zocket.refusals",
        "zocket.refusals",
        "zocket.refusals, ZOCKET.v1.json",
    ] {
        let answer = super::raw()
            .start("GET /?code=UNAUTHORIZED HTTP/1.1")
            .with("Sec-WebSocket-Protocol", offer)
            .send(&server)
            .await;
        assert_eq!(
            (answer.status, answer.body),
            (401, json!({ "error": "as you wish", "code": "UNAUTHORIZED" })),
            "{offer}"
        );
        assert!(!answer.fields.contains_key("sec-websocket-protocol"), "{offer}");
    }
}

#[tokio::test]
async fn a_request_that_opens_no_websocket_gets_the_http_status() {
    let service = OriginLayer::new(Origins::same()).layer(refusing(&World::new()).1);
    let server = serve(service).await;
    let offering = || super::raw().with(OFFER.0, OFFER.1);
    for (request, status) in [
        (offering().with("Sec-WebSocket-Key", "short"), 400),
        (offering().without("Upgrade"), 426),
        (offering().with("Sec-WebSocket-Version", "8"), 426),
        (offering().start("POST / HTTP/1.1"), 405),
        (
            offering()
                .without("Upgrade")
                .with("Origin", "https://other.example"),
            403,
        ),
    ] {
        assert_eq!(request.send(&server).await.status, status);
    }
}

#[tokio::test]
async fn a_page_of_another_origin_is_told_the_code_only() {
    let expected = json!({ "code": "FORBIDDEN", "message": "" });
    let foreign = [("origin", "https://other.example")];
    let world = World::new();
    let (_, service) = refusing(&world);
    let built_in = serve(service.clone()).await;
    let layer = serve(OriginLayer::new(Origins::same()).layer(service)).await;
    for server in [built_in, layer] {
        let (error, closed) = told(&server, "code=NONE", &foreign).await;
        assert_eq!(error, expected);
        assert_eq!(closed, (3603, "FORBIDDEN".to_owned()));
        let (status, body) = server.try_connect("code=NONE", &foreign).await.err().unwrap();
        assert_eq!(status, 403);
        assert!(!body["error"].as_str().unwrap().is_empty());
    }
    assert_eq!(world.runs.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn the_limits_of_an_address_are_told_through_other_layers() {
    let limits = AddressLimitLayer::new()
        .handshakes(Quota::new(1, Duration::from_secs(3_600)))
        .peer(|_| Some([127, 0, 0, 1].into()));
    let service = ServiceBuilder::new()
        .layer(limits)
        .map_request(|request: Request<Incoming>| request)
        .concurrency_limit(9)
        .layer(OriginLayer::new(Origins::same()))
        .service(refusing(&World::new()).1);
    let server = serve(service).await;
    assert_eq!(told(&server, "code=CONFLICT", &[]).await.1.0, 3609);
    let (error, closed) = told(&server, "code=CONFLICT", &[]).await;
    assert_eq!(closed, (3129, "TOO_MANY_REQUESTS".to_owned()));
    let wait = error["retryAfterMs"].as_u64().unwrap();
    assert!((3_500_000..=3_600_000).contains(&wait), "{error}");
}

#[tokio::test]
async fn a_layer_without_an_app_inside_answers_with_the_http_status() {
    async fn other(_: Request<Incoming>) -> Result<Response<String>, Infallible> {
        unreachable!("no request passes")
    }
    let layer = OriginLayer::new(Origins::same());
    let (_, service) = refusing(&World::new());
    let echo = tower::service_fn(async |frame: Frame| Ok::<_, Infallible>(frame.into_data()));
    let opaque = Zocket::builder().build().serve_stack(echo);
    for server in [
        serve(layer.clone().layer(tower::service_fn(other))).await,
        serve(layer.clone().layer(axum::Router::new().fallback_service(service))).await,
        serve(layer.layer(opaque)).await,
    ] {
        let fields = [OFFER, ("origin", "https://other.example")];
        let (status, body) = server.try_connect("", &fields).await.err().unwrap();
        assert_eq!((status, &body["code"]), (403, &json!("FORBIDDEN")));
    }
}

/// Opens a connection over a pipe, so that tokio's clock can be paused, and writes a request that is refused with 401.
async fn in_memory(service: &UpgradeService) -> DuplexStream {
    let (mut near, far) = tokio::io::duplex(1 << 16);
    let service = TowerToHyperService::new(service.clone());
    tokio::spawn(async move {
        let serving = http1::Builder::new().serve_connection(TokioIo::new(far), service);
        let _ = serving.with_upgrades().await;
    });
    near.write_all(unauthorized().as_bytes()).await.unwrap();
    near
}

#[tokio::test]
async fn an_app_may_have_fewer_of_them_or_none() {
    for refusals in [0, 1] {
        let zo = Zocket::builder()
            .on_connect_with(World::new(), connect)
            .app_limits(AppLimits::default().refusals(refusals))
            .build();
        let service = zo.serve(zo.router());
        let mut open = Vec::new();
        for _ in 0..refusals {
            open.push(in_memory(&service).await);
            assert_eq!(status(open.last_mut().unwrap()).await, 101);
        }
        assert_eq!(status(&mut in_memory(&service).await).await, 401);
    }
}

/// Reads to the end of a connection. Returns what came, and the time that it took.
async fn read_to_end(near: &mut DuplexStream) -> (Vec<u8>, Duration) {
    let (begun, mut came) = (Instant::now(), Vec::new());
    let _ = near.read_to_end(&mut came).await;
    (came, begun.elapsed())
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Reads up to the Close, whose reason is the last that the server writes.
async fn read_to_close(near: &mut DuplexStream) {
    let mut came = Vec::new();
    while !came.ends_with(b"UNAUTHORIZED") {
        came.push(near.read_u8().await.unwrap());
    }
}

async fn status(near: &mut DuplexStream) -> u16 {
    let mut status = [0; 12];
    near.read_exact(&mut status).await.unwrap();
    std::str::from_utf8(&status[9..]).unwrap().parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn beyond_256_of_them_clients_get_the_http_status() {
    let (_zo, service) = refusing(&World::new());
    let begun = Instant::now();
    let mut open = Vec::new();
    for _ in 0..256 {
        let mut near = in_memory(&service).await;
        assert_eq!(status(&mut near).await, 101);
        read_to_close(&mut near).await;
        open.push(near);
    }
    assert_eq!(status(&mut in_memory(&service).await).await, 401);
    // One that ends makes room for one more.
    let mut first = open.swap_remove(0);
    let close = frame(FIN | CLOSE, &3601_u16.to_be_bytes());
    first.write_all(&close).await.unwrap();
    read_to_end(&mut first).await;
    drop(first);
    let mut next = in_memory(&service).await;
    assert_eq!(status(&mut next).await, 101);
    assert_eq!(status(&mut in_memory(&service).await).await, 401);
    assert_eq!(begun.elapsed(), Duration::ZERO, "no time has passed");
}

#[tokio::test(start_paused = true)]
async fn a_refused_client_that_never_closes_is_dropped_after_2_s() {
    let (_zo, service) = refusing(&World::new());
    let mut near = in_memory(&service).await;
    let (came, after) = read_to_end(&mut near).await;
    assert!(contains(&came, b"__error") && contains(&came, b"UNAUTHORIZED"));
    assert_eq!(after.as_millis() / 10, 200);
}

#[tokio::test(start_paused = true)]
async fn a_refused_client_that_never_reads_is_dropped_after_2_s() {
    let world = World::new();
    let (zo, service) = refusing(&world);
    // The pipe holds no more than a part of the response.
    let (mut near, far) = tokio::io::duplex(8);
    let serving = TowerToHyperService::new(service.clone());
    tokio::spawn(async move {
        let serving = http1::Builder::new().serve_connection(TokioIo::new(far), serving);
        let _ = serving.with_upgrades().await;
    });
    near.write_all(unauthorized().as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    // All 256 places are free again.
    let mut others = Vec::new();
    for _ in 0..256 {
        others.push(in_memory(&service).await);
    }
    for other in &mut others {
        assert_eq!(status(other).await, 101);
    }
    assert_eq!(zo.connections(), 0);
}

#[tokio::test]
async fn messages_of_a_refused_client_are_not_handled() {
    let world = World::new();
    let server = serve_by(refusing(&world).1, http1::Builder::new()).await;
    let count = frame(FIN | TEXT, br#"{"type":"count","rpcId":1}"#);
    let large = frame(FIN | TEXT, &[b'x'; 70_000]);
    let endless = head(FIN | TEXT, 1 << 40);
    for messages in [count.clone(), [&*count, &*large, &*count].concat(), endless] {
        let mut raw = server.dial().await;
        // The messages come with the request, and again after the Close.
        raw.write(&[unauthorized().as_bytes(), &messages].concat()).await;
        assert!(raw.read_http().await.starts_with("HTTP/1.1 101 "));
        assert!(raw.read_text().await.contains("UNAUTHORIZED"));
        assert_eq!(raw.closed().await.0, 3601);
        let _ = raw.try_write(&messages).await;
        raw.hung_up().await;
    }
    assert_eq!(world.messages.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_server_that_shuts_down_tells_it_and_does_not_wait() {
    let world = World::new();
    let (zo, service) = refusing(&world);
    let server = serve(service).await;
    let open = left_open(&server).await;
    // A client whose `on_connect` is under way holds the shutdown up, and is refused by its own error.
    let waiting = tokio::spawn({
        let (addr, path) = (server.addr, server.path);
        async move {
            let server = format!("ws://{addr}{path}?code=WAIT");
            let mut request =
                tokio_tungstenite::tungstenite::client::IntoClientRequest::into_client_request(server)
                    .unwrap();
            request.headers_mut().insert(OFFER.0, OFFER.1.parse().unwrap());
            let (socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
            common::Client::new(socket).closed().await
        }
    });
    until(|| world.runs.load(Ordering::SeqCst) == 2).await;
    let shutdown = tokio::spawn({
        let zo = zo.clone();
        async move { zo.shutdown(Shutdown::within(PATIENCE)).await }
    });
    // The app drains once a new client is told so.
    let (error, closed) = loop {
        let (error, closed) = told(&server, "code=CONFLICT", &[]).await;
        if closed.0 != 3609 {
            break (error, closed);
        }
    };
    assert_eq!(closed, (3203, "OVERLOADED".to_owned()));
    assert_eq!(
        error,
        json!({ "code": "OVERLOADED", "message": "the server is shutting down", "retryAfterMs": 1_000 })
    );
    let late = left_open(&server).await;
    world.gate.add_permits(1);
    assert_eq!(waiting.await.unwrap(), (3601, "UNAUTHORIZED".to_owned()));
    assert_eq!(shutdown.await.unwrap(), 0);
    assert_eq!(zo.connections(), 0);
    drop((open, late));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_grace_period_drops_refused_sockets() {
    let world = World::new();
    let (zo, service) = refusing(&world);
    let mut near = in_memory(&service).await;
    let begun = Instant::now();
    assert_eq!(status(&mut near).await, 101);
    // This call of `on_connect` outlasts the grace period.
    let (mut stuck, far) = tokio::io::duplex(1 << 16);
    let serving = TowerToHyperService::new(service.clone());
    tokio::spawn(
        http1::Builder::new()
            .serve_connection(TokioIo::new(far), serving)
            .with_upgrades(),
    );
    let wait = unauthorized().replacen("UNAUTHORIZED", "WAIT", 1);
    stuck.write_all(wait.as_bytes()).await.unwrap();
    until(|| world.runs.load(Ordering::SeqCst) == 2).await;
    let grace = Duration::from_millis(500);
    let (cut, (came, _)) = tokio::join!(zo.shutdown(grace), read_to_end(&mut near));
    assert_eq!(cut, 1);
    assert!(contains(&came, b"UNAUTHORIZED"));
    let took = begun.elapsed();
    assert!(took >= grace && took < Duration::from_secs(1), "{took:?}");
    // From then on there is only the status.
    assert_eq!(status(&mut in_memory(&service).await).await, 503);
}

/// A subprotocol may be a token, so it does not reach logs by `Debug`.
#[tokio::test]
async fn offers_are_marked_as_sensitive_for_on_connect() {
    let shown = Arc::new(Mutex::new(String::new()));
    let zo = Zocket::builder()
        .on_connect_with(
            shown.clone(),
            async |shown: Arc<Mutex<String>>,
                   _: zocket::NoHeaders,
                   _: ClientId,
                   request: http::request::Parts| {
                *shown.lock() = format!("{request:?}");
                Ok(())
            },
        )
        .any_origin()
        .build();
    let server = serve(zo.serve(zo.router())).await;
    let fields = [OFFER, (OFFER.0, "token.hunter2")];
    let mut client = server.try_connect("", &fields).await.unwrap();
    client.event("__welcome").await;
    let shown = shown.lock().clone();
    assert!(shown.contains(OFFER.0) && !shown.contains("hunter2"), "{shown}");
}
