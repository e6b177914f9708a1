//! Requests that open no WebSocket, and valid requests with unusual spelling.

use std::sync::atomic::Ordering;

use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use super::{Runs, app, common::serve, raw, site};

#[tokio::test]
async fn a_request_that_opens_no_websocket_gets_the_reason() {
    let runs = Runs::default();
    let server = serve(app(&runs)).await;
    let no_key = "Sec-WebSocket-Key";
    for (request, status, reason) in [
        (raw().start("POST /?name=Ann HTTP/1.1"), 405, "GET"),
        (raw().start("PUT /?name=Ann HTTP/1.1"), 405, "GET"),
        (raw().without("Upgrade"), 426, "Upgrade"),
        (raw().with("Upgrade", "h2c"), 426, "Upgrade"),
        (
            raw().without("Sec-WebSocket-Version"),
            426,
            "Sec-WebSocket-Version",
        ),
        (
            raw().with("Sec-WebSocket-Version", "8"),
            426,
            "Sec-WebSocket-Version",
        ),
        (raw().without(no_key), 400, no_key),
        (raw().with(no_key, ""), 400, no_key),
        (raw().with(no_key, "c2hvcnQ="), 400, no_key),
        (raw().with(no_key, "not base64 at all, no =="), 400, no_key),
        (raw().without("Host"), 400, "Host"),
        (raw().without("Connection"), 400, "Connection"),
        (raw().with("Connection", "keep-alive"), 400, "Connection"),
    ] {
        let what = format!("{} {:?}", request.start, request.fields);
        let answer = request.send(&server).await;
        assert_eq!(answer.status, status, "{what}");
        assert_eq!(answer.fields["content-type"], "application/json", "{what}");
        let error = answer.body["error"].as_str().unwrap();
        assert!(error.contains(reason), "{what}: {error}");
        assert_eq!(
            answer.fields.get("allow").map(String::as_str),
            (status == 405).then_some("GET")
        );
        if status == 426 {
            assert_eq!(answer.fields["upgrade"], "websocket", "{what}");
            assert!(
                answer.fields["connection"].eq_ignore_ascii_case("upgrade"),
                "{what}"
            );
        }
        if reason == "Sec-WebSocket-Version" {
            assert_eq!(
                answer.fields["sec-websocket-version"], "13",
                "RFC 6455, section 4.4"
            );
        }
    }
    assert_eq!(runs.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn handshake_fields_are_case_insensitive_lists() {
    let server = site().await;
    let answer = raw()
        .with("Connection", "keep-alive, UPGRADE")
        .with("Upgrade", "foo/2, WebSocket")
        .send(&server)
        .await;
    assert_eq!(answer.status, 101);
    // Key and accept value are the example of RFC 6455, section 1.3.
    assert_eq!(
        answer.fields["sec-websocket-accept"],
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    );
    assert!(answer.fields["upgrade"].eq_ignore_ascii_case("websocket"));
    assert!(answer.fields["connection"].eq_ignore_ascii_case("upgrade"));
}

#[tokio::test]
async fn a_server_that_cannot_upgrade_answers_with_the_reason() {
    let runs = Runs::default();
    let request = Request::get("/?name=Ann")
        .header("host", "localhost")
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .body(())
        .unwrap();
    let response = app(&runs).oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert!(body["error"].as_str().unwrap().contains("upgrade"), "{body}");
    assert_eq!(runs.load(Ordering::SeqCst), 0);
}
