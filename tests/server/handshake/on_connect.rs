//! `on_connect`: its view of the request, and its refusals as HTTP responses.

use std::time::Duration;

use garde::Validate;
use http::{Request, request::Parts};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tower::ServiceBuilder;
use zocket::{ClientId, Code, Context, Error, NoHeaders, UpgradeService, Zocket};

use super::{common::serve, raw, refused};

/// Refuses with the code that the client requests.
#[derive(Deserialize, JsonSchema, Validate)]
struct Refuse {
    #[garde(skip)]
    how: String,
}

async fn refuse(headers: Refuse, _: ClientId) -> Result<(), Error> {
    Err(match headers.how.as_str() {
        "401" => Error::unauthorized("no token"),
        "403" => Error::forbidden("banned"),
        "404" => Error::not_found("no such tenant"),
        "409" => Error::conflict("already here"),
        "412" => Error::precondition_failed("no terms accepted"),
        "429" => Error::too_many_requests(Duration::from_millis(1_001)),
        "500" => Error::internal("password=hunter2"),
        "500 by hand" => Error::new(Code::INTERNAL_SERVER_ERROR, "password=hunter2"),
        "503" => Error::new(Code::OVERLOADED, "come back later"),
        "app" => Error::new(Code::app("TENANT_FROZEN"), "the tenant is frozen"),
        "panic" => panic!("password=hunter2"),
        _ => return Ok(()),
    })
}

fn refusing() -> UpgradeService {
    let zo = Zocket::builder().on_connect(refuse).build();
    zo.serve(zo.router())
}

#[tokio::test]
async fn an_on_connect_error_becomes_an_http_status() {
    let server = serve(refusing()).await;
    for (how, status, code, message) in [
        ("401", 401, "UNAUTHORIZED", "no token"),
        ("403", 403, "FORBIDDEN", "banned"),
        ("404", 404, "NOT_FOUND", "no such tenant"),
        ("409", 409, "CONFLICT", "already here"),
        ("412", 412, "PRECONDITION_FAILED", "no terms accepted"),
        ("429", 429, "TOO_MANY_REQUESTS", "too many requests"),
        ("503", 503, "OVERLOADED", "come back later"),
        ("app", 400, "TENANT_FROZEN", "the tenant is frozen"),
    ] {
        let answer = raw().with("how", how).send(&server).await;
        assert_eq!(answer.status, status, "{how}");
        assert_eq!(answer.body, json!({ "error": message, "code": code }));
        assert_eq!(answer.fields["content-type"], "application/json");
        // `Retry-After` is in whole seconds, rounded up.
        let retry_after = (how == "429").then_some("2");
        assert_eq!(answer.fields.get("retry-after").map(String::as_str), retry_after);
    }
    assert_eq!(raw().with("how", "not at all").send(&server).await.status, 101);
}

#[tokio::test]
async fn a_failure_or_panic_in_on_connect_is_a_500_without_detail() {
    let server = serve(refusing()).await;
    for how in ["500", "500 by hand", "panic"] {
        let answer = raw().with("how", how).send(&server).await;
        assert_eq!(
            (answer.status, &answer.body["code"]),
            (500, &json!("INTERNAL_SERVER_ERROR"))
        );
        assert!(!answer.body.to_string().contains("hunter2"), "{}", answer.body);
        assert!(!answer.body["error"].as_str().unwrap().is_empty());
    }
    // The server accepts the next client.
    assert_eq!(raw().with("how", "not at all").send(&server).await.status, 101);
}

#[tokio::test]
async fn on_connect_sees_a_token_that_is_offered_beside_the_subprotocol() {
    async fn connect(_: NoHeaders, _: ClientId, request: Parts) -> Result<(), Error> {
        let offered = &request.headers["sec-websocket-protocol"];
        match offered.as_bytes().ends_with(b", token.s3cret") {
            true => Ok(()),
            false => Err(Error::unauthorized("no token")),
        }
    }
    let zo = Zocket::builder().on_connect(connect).any_origin().build();
    let server = serve(zo.serve(zo.router())).await;
    let offer = |offered| raw().with("sec-websocket-protocol", offered);
    let answer = offer("zocket.v1.json, token.s3cret").send(&server).await;
    assert_eq!(answer.status, 101);
    assert_eq!(answer.fields["sec-websocket-protocol"], "zocket.v1.json");
    let refused = offer("zocket.v1.json, token.guess").send(&server).await;
    assert_eq!(refused.status, 401);
}

/// A value that a layer around the service inserts into the request.
#[derive(Clone)]
struct Peer(&'static str);

#[tokio::test]
async fn on_connect_sees_the_requests_parts() {
    async fn connect(_: NoHeaders, _: ClientId, request: Parts) -> Result<String, Error> {
        let cookie = request
            .headers
            .get("cookie")
            .and_then(|cookie| cookie.to_str().ok());
        let cookie = cookie.ok_or_else(|| Error::unauthorized("no cookie"))?;
        let peer = request.extensions.get::<Peer>().map(|peer| peer.0);
        let path = request.uri.path();
        Ok(format!("{path} {cookie} {}", peer.unwrap_or("nobody")))
    }
    let zo = Zocket::builder().on_connect(connect).any_origin().build();
    let router = zo.router().incoming(
        "parts",
        zo.message()
            .handle(async |cx: Context<String>| Ok(String::clone(&cx))),
    );
    let service = ServiceBuilder::new()
        .map_request(|mut request: Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(Peer("10.0.0.1"));
            request
        })
        .service(zo.serve(router));
    let server = serve(service).await;
    let mut client = server.try_connect("", &[("cookie", "sid=1")]).await.ok().unwrap();
    let parts = client.call("parts", Value::Null).await.unwrap();
    assert_eq!(parts.unwrap(), "/ sid=1 10.0.0.1");
    let (status, body) = refused(&server, "").await;
    assert_eq!((status, &body["error"]), (401, &json!("no cookie")));
}
