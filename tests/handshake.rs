//! The handshake: connect headers, what `on_connect` refuses, requests that open no WebSocket.

mod common;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use common::{Server, serve};
use garde::Validate;
use http::{Request, StatusCode, request::Parts};
use http_body_util::BodyExt;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tower::{ServiceBuilder, ServiceExt};
use zocket::{ClientId, Code, Context, Error, NoHeaders, UpgradeService, Zocket};

/// What the test app takes of a request. It knows no other names.
#[derive(Clone, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
struct Headers {
    #[garde(length(chars, min = 1, max = 40))]
    name: String,
    #[serde(rename = "x-room", default = "lobby")]
    #[garde(length(chars, max = 10))]
    room: String,
    #[serde(rename = "x-user-id")]
    #[garde(skip)]
    user_id: Option<String>,
}

fn lobby() -> String {
    "lobby".to_owned()
}

/// How often `on_connect` ran.
type Runs = Arc<AtomicUsize>;

/// An app whose clients can ask for the headers that it got.
fn app(runs: &Runs) -> UpgradeService {
    let zo = Zocket::builder()
        .on_connect_with(runs.clone(), async |runs: Runs, headers: Headers, _: ClientId| {
            runs.fetch_add(1, Ordering::SeqCst);
            Ok(headers)
        })
        .build();
    let headers = zo
        .message()
        .handle(async |cx: Context<Headers>| Ok((cx.name.clone(), cx.room.clone(), cx.user_id.clone())));
    zo.serve(zo.router().incoming("headers", headers))
}

/// `[name, x-room, x-user-id]` as `on_connect` got them.
async fn received(server: &Server, query: &str, fields: &[(&str, &str)]) -> Value {
    let client = server.try_connect(query, fields).await;
    let mut client = client.unwrap_or_else(|(status, body)| panic!("{query}: {status} {body}"));
    client
        .call("headers", Value::Null)
        .await
        .expect("an answer")
        .expect("a payload")
}

/// The paths of a refusal's issues, sorted.
fn paths(body: &Value) -> Vec<String> {
    assert_eq!(body["error"], "Invalid headers", "{body}");
    let details = body["details"].as_array().expect("details");
    let mut paths = Vec::new();
    for issue in details {
        assert!(
            issue["code"].as_str().is_some_and(|code| !code.is_empty()),
            "{issue}"
        );
        assert!(
            issue["message"].as_str().is_some_and(|text| !text.is_empty()),
            "{issue}"
        );
        paths.push(issue["path"].to_string());
    }
    paths.sort();
    paths
}

/// An upgrade request to be spoilt, byte by byte.
struct Raw {
    start: &'static str,
    fields: Vec<(&'static str, Vec<u8>)>,
}

/// What came back.
struct Answer {
    status: u16,
    fields: HashMap<String, String>,
    body: Value,
}

fn raw() -> Raw {
    Raw {
        start: "GET /?name=Ann HTTP/1.1",
        fields: Vec::new(),
    }
    .with("Host", "localhost")
    .with("Connection", "Upgrade")
    .with("Upgrade", "websocket")
    .with("Sec-WebSocket-Version", "13")
    .with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
}

impl Raw {
    fn start(mut self, line: &'static str) -> Self {
        self.start = line;
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(other, _)| *other != name);
        self
    }

    fn with(mut self, name: &'static str, value: impl Into<Vec<u8>>) -> Self {
        self = self.without(name);
        self.fields.push((name, value.into()));
        self
    }

    async fn send(self, server: &Server) -> Answer {
        let mut bytes = self.start.as_bytes().to_vec();
        for (name, value) in self.fields {
            bytes.extend_from_slice(b"\r\n");
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(&value);
        }
        bytes.extend_from_slice(b"\r\n\r\n");
        timeout(common::PATIENCE, exchange(server, &bytes))
            .await
            .expect("no answer comes")
            .expect("the connection holds")
    }
}

async fn exchange(server: &Server, request: &[u8]) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(server.addr).await?;
    stream.write_all(request).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let fields: HashMap<_, _> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = fields
        .get("content-length")
        .and_then(|length| length.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await?;
    Ok(Answer {
        status: status.expect("a status line"),
        fields,
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    })
}

#[tokio::test]
async fn header_fields_and_query_parameters_are_one_map() {
    let server = serve(app(&Runs::default())).await;
    let headers = received(&server, "name=Ann&x-room=attic", &[("x-user-id", "7")]).await;
    assert_eq!(headers, json!(["Ann", "attic", "7"]));
    let headers = received(&server, "", &[("Name", "Ann"), ("X-Room", "attic")]).await;
    assert_eq!(headers, json!(["Ann", "attic", null]));
}

#[tokio::test]
async fn what_is_absent_gets_its_default() {
    let server = serve(app(&Runs::default())).await;
    assert_eq!(
        received(&server, "name=Ann", &[]).await,
        json!(["Ann", "lobby", null])
    );
}

#[tokio::test]
async fn query_parameters_are_percent_decoded() {
    let server = serve(app(&Runs::default())).await;
    for (written, meant) in [
        ("a+b", "a b"),
        ("a%20b", "a b"),
        ("a%2Bb", "a+b"),
        ("a%26x-room%3Db", "a&x-room=b"),
        ("a=b", "a=b"),
        ("%C3%A9", "é"),
        ("%e2%82%ac", "€"),
        ("100%25", "100%"),
        // Broken escapes stand for themselves, broken UTF-8 for U+FFFD.
        ("50%", "50%"),
        ("%zz%4", "%zz%4"),
        ("%FFa", "\u{FFFD}a"),
    ] {
        let headers = received(&server, &format!("name={written}"), &[]).await;
        assert_eq!(headers[0], meant, "{written}");
    }
    // The name as well.
    assert_eq!(received(&server, "n%61me=Ann", &[]).await[0], "Ann");
}

#[tokio::test]
async fn the_last_of_a_repeated_query_parameter_counts() {
    let server = serve(app(&Runs::default())).await;
    let headers = received(&server, "name=Ann&x-room=attic&name=Bob&x-room=cellar", &[]).await;
    assert_eq!(headers, json!(["Bob", "cellar", null]));
    let (status, body) = server.try_connect("name=Ann&name=", &[]).await.err().unwrap();
    assert_eq!((status, paths(&body)), (400, vec![r#"["name"]"#.to_owned()]));
}

#[tokio::test]
async fn a_repeated_header_field_is_joined() {
    let server = serve(app(&Runs::default())).await;
    let headers = received(&server, "name=Ann", &[("x-user-id", "1"), ("x-user-id", "2")]).await;
    assert_eq!(headers[2], "1, 2");
}

#[tokio::test]
async fn a_query_parameter_never_replaces_a_field_of_the_request() {
    let server = serve(app(&Runs::default())).await;
    for query in [
        "x-user-id=evil",
        "X-User-Id=evil",
        "x%2Duser%2Did=evil",
        "x-user-id=a&x-user-id=evil",
    ] {
        for field in ["x-user-id", "X-User-Id", "X-USER-ID"] {
            let headers = received(&server, &format!("name=Ann&{query}"), &[(field, "trusted")]).await;
            assert_eq!(headers[2], "trusted", "?{query} beside {field}");
        }
    }
    // The client library writes names in lower case; a proxy need not. An empty field is a field, too.
    for field in ["X-User-ID", "x-USER-id"] {
        let answer = raw()
            .start("GET /?name=Ann&x-room=spoofed-and-too-long HTTP/1.1")
            .with(field, "trusted")
            .with("X-ROOM", "")
            .send(&server)
            .await;
        assert_eq!(answer.status, 101, "{}", answer.body);
    }
}

#[tokio::test]
async fn only_declared_names_are_looked_at() {
    let runs = Runs::default();
    let server = serve(app(&runs)).await;
    let query = "name=Ann&x-zocket-version=1&utm_source=mail&constructor=&__proto__=1&=&&";
    let headers = received(&server, query, &[("x-other", "1"), ("cookie", "a=b")]).await;
    assert_eq!(headers, json!(["Ann", "lobby", null]));
    // Not quite a declared name is not one.
    let headers = received(&server, "name=Ann&X-User-Id=7&x-user-id%20=7&x_user_id=7", &[]).await;
    assert_eq!(headers[2], Value::Null);
    assert_eq!(runs.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn invalid_headers_are_refused_with_all_issues_and_on_connect_does_not_run() {
    let runs = Runs::default();
    let server = serve(app(&runs)).await;
    let both = vec![r#"["name"]"#.to_owned(), r#"["x-room"]"#.to_owned()];
    // One missing and one too long; both too long.
    for query in [
        "x-room=01234567890".to_owned(),
        format!("x-room=01234567890&name={}", "x".repeat(41)),
    ] {
        let (status, body) = server.try_connect(&query, &[]).await.err().unwrap();
        assert_eq!((status, paths(&body)), (400, both.clone()), "{query}: {body}");
    }
    let answer = raw().start("GET / HTTP/1.1").send(&server).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.fields["content-type"], "application/json");
    assert_eq!(paths(&answer.body), [r#"["name"]"#]);
    assert_eq!(runs.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_field_that_is_not_utf_8_is_an_issue_beside_the_others() {
    let runs = Runs::default();
    let server = serve(app(&runs)).await;
    let answer = raw().with("x-room", b"caf\xe9").send(&server).await;
    assert_eq!(
        (answer.status, paths(&answer.body)),
        (400, vec![r#"["x-room"]"#.to_owned()])
    );
    // A query parameter does not stand in for it.
    let answer = raw()
        .start("GET /?name=Ann&x-room=attic HTTP/1.1")
        .with("x-room", b"caf\xe9")
        .send(&server)
        .await;
    assert_eq!(
        (answer.status, paths(&answer.body)),
        (400, vec![r#"["x-room"]"#.to_owned()])
    );
    // All the issues at once, and none twice.
    let answer = raw()
        .start("GET /?x-room=01234567890 HTTP/1.1")
        .with("x-user-id", b"\xff")
        .send(&server)
        .await;
    let all = [r#"["name"]"#, r#"["x-room"]"#, r#"["x-user-id"]"#];
    assert_eq!(paths(&answer.body), all, "{}", answer.body);
    let answer = raw()
        .start("GET / HTTP/1.1")
        .with("name", b"\xff")
        .send(&server)
        .await;
    assert_eq!(paths(&answer.body), [r#"["name"]"#], "{}", answer.body);
    assert_eq!(runs.load(Ordering::SeqCst), 0);
    // Of a field that is not declared, nobody asks.
    assert_eq!(raw().with("x-other", b"\xff").send(&server).await.status, 101);
    // UTF-8 is fine.
    let answer = raw().with("x-room", "café".as_bytes()).send(&server).await;
    assert_eq!(answer.status, 101, "{}", answer.body);
}

/// Refuses as the client asks.
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
async fn what_on_connect_refuses_with_is_an_http_status() {
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
        // Whole seconds, rounded up.
        let retry_after = (how == "429").then_some("2");
        assert_eq!(answer.fields.get("retry-after").map(String::as_str), retry_after);
    }
    assert_eq!(raw().with("how", "not at all").send(&server).await.status, 101);
}

#[tokio::test]
async fn a_failure_or_a_panic_in_on_connect_is_a_500_that_tells_nothing() {
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
    // Nothing is the worse for it.
    assert_eq!(raw().with("how", "not at all").send(&server).await.status, 101);
}

#[tokio::test]
async fn a_request_that_opens_no_websocket_is_told_why() {
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
async fn fields_of_the_handshake_are_read_as_lists_in_any_case() {
    let server = serve(app(&Runs::default())).await;
    let answer = raw()
        .with("Connection", "keep-alive, UPGRADE")
        .with("Upgrade", "foo/2, WebSocket")
        .send(&server)
        .await;
    assert_eq!(answer.status, 101);
    // RFC 6455, section 1.3: the example.
    assert_eq!(
        answer.fields["sec-websocket-accept"],
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    );
    assert!(answer.fields["upgrade"].eq_ignore_ascii_case("websocket"));
    assert!(answer.fields["connection"].eq_ignore_ascii_case("upgrade"));
}

/// What a layer around the service found out.
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
    let zo = Zocket::builder().on_connect(connect).build();
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
    let (status, body) = server.try_connect("", &[]).await.err().unwrap();
    assert_eq!((status, &body["error"]), (401, &json!("no cookie")));
}

#[tokio::test]
async fn a_server_that_can_not_upgrade_says_so() {
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
