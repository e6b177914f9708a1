//! The content of the `__error` and of the Close, and the clients that get the HTTP status.

use std::convert::Infallible;

use http::{Request, Response};
use hyper::body::Incoming;
use parking_lot::Mutex;
use tower::{Layer, ServiceBuilder};
use zocket::{
    address::AddressLimitLayer,
    layers::{Frame, Quota},
    origin::OriginLayer,
};

use super::*;

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
        let answer = raw()
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
    let offering = || raw().with(OFFER.0, OFFER.1);
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
