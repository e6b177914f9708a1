//! Handshakes in the log and in metrics: one line and one count for each that is refused, and never anything that the
//! client has sent.

use std::{collections::BTreeMap, time::Duration};

use garde::Validate;
use http::{Request, request::Parts};
use metrics_util::debugging::DebuggingRecorder;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tower::{Layer, ServiceBuilder};
use tower_http::trace::TraceLayer as HttpTraceLayer;
use tracing::{level_filters::LevelFilter, subscriber::DefaultGuard};
use tracing_subscriber::fmt::format::FmtSpan;
use zocket::{
    AppLimits, ClientId, Code, Error, Origins, Zocket,
    address::AddressLimitLayer,
    layers::{Quota, TraceLayer},
    server,
};

use super::{
    common::{listen, serve, until},
    observability::{Log, Recorded},
    refusals,
};

#[derive(Deserialize, JsonSchema, Validate)]
struct Empty {}

const NO_SEATS: Code = Code::app("NO_SEATS");

#[derive(Deserialize, JsonSchema, Validate)]
struct Headers {
    #[garde(length(max = 30))]
    token: String,
    #[garde(skip)]
    kind: Kind,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Guest,
    Unknown,
    Full,
    Broken,
}

async fn connect(headers: Headers, _: ClientId, _: Parts) -> Result<(), Error> {
    assert!(headers.token.starts_with("hunter2"));
    match headers.kind {
        Kind::Guest => Ok(()),
        Kind::Unknown => Err(Error::unauthorized("log in first")),
        Kind::Full => Err(Error::new(NO_SEATS, "no seats are left")),
        Kind::Broken => Err(Error::internal("the database is gone")),
    }
}

/// A handshake with the secret `hunter2` wherever a client can put one.
const SECRETS: [(&str, &str); 6] = [
    ("cookie", "session=hunter2"),
    ("authorization", "Bearer hunter2"),
    ("x-forwarded-for", "hunter2"),
    ("x-token", "hunter2"),
    ("sec-websocket-protocol", "zocket.v1.json, token.hunter2"),
    ("user-agent", "hunter2"),
];

/// Logs everything of this thread, until the guard is dropped. The server's tasks run on it, too.
fn logging() -> (Log, DefaultGuard) {
    // With the other tests' global subscriber, no thread registers a callsite as disabled for all.
    refusals::log::Log::keep();
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_span_events(FmtSpan::FULL)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    (log, tracing::subscriber::set_default(subscriber))
}

#[tokio::test]
async fn a_refused_handshake_is_one_line_and_one_count_without_the_clients_secrets() {
    let recorder = DebuggingRecorder::new();
    let mut recorded = Recorded(recorder.snapshotter(), BTreeMap::new());
    // The server's tasks run on this thread, too.
    let _recording = metrics::set_default_local_recorder(&recorder);
    let (log, _logging) = logging();

    let zo = Zocket::builder()
        .on_connect(connect)
        .origins(Origins::same())
        .layer(TraceLayer::new())
        .build();
    let limits = AddressLimitLayer::new().handshakes(Quota::new(11, Duration::from_secs(3_600)));
    let service = ServiceBuilder::new()
        .layer(HttpTraceLayer::new_for_http().make_span_with(|request: &Request<_>| {
            tracing::info_span!("http", method = %request.method(), path = request.uri().path())
        }))
        .service(limits.layer(zo.serve(zo.router())));
    let server = listen(|listener| server::serve(listener, service)).await;

    let long = format!("kind=guest&token={}", "hunter2".repeat(10));
    // Refused by a WebSocket that is closed, which has the status 101.
    let told = Some(("sec-websocket-protocol", "zocket.refusals"));
    for (query, field, status, code) in [
        ("kind=guest&token=hunter2&x-zocket-version=hunter2", None, 101, ""),
        (
            "kind=guest&token=hunter2&x-zocket-version=1hunter2%20=",
            None,
            101,
            "",
        ),
        ("kind=unknown&token=hunter2", None, 401, "UNAUTHORIZED"),
        ("kind=full&token=hunter2", None, 400, "NO_SEATS"),
        ("kind=full&token=hunter2", told, 400, "NO_SEATS"),
        ("kind=hunter2&token=hunter2", told, 400, "BAD_REQUEST"),
        ("kind=broken&token=hunter2", None, 500, "INTERNAL_SERVER_ERROR"),
        ("kind=hunter2&token=hunter2", None, 400, "BAD_REQUEST"),
        (&*long, None, 400, "BAD_REQUEST"),
        ("token=hunter2", None, 426, "BAD_HANDSHAKE"),
        (
            "token=hunter2",
            Some(("origin", "https://hunter2.example")),
            403,
            "FORBIDDEN",
        ),
        ("token=hunter2", None, 429, "TOO_MANY_REQUESTS"),
        ("token=hunter2", told, 429, "TOO_MANY_REQUESTS"),
    ] {
        let before = log.0.lock().len();
        let metric = format!("zocket_handshakes_refused_total{{status={status},code={code}}}");
        let counted = recorded.get(&metric);
        let fields: Vec<_> = SECRETS.into_iter().chain(field).collect();
        if status == 426 {
            let mut raw = server.dial().await;
            let request = format!("GET /?{query} HTTP/1.1\r\nHost: localhost\r\nCookie: hunter2\r\n\r\n");
            raw.write(request.as_bytes()).await;
            assert!(raw.read_http().await.starts_with("HTTP/1.1 426 "));
        } else {
            match server.try_connect(query, &fields).await {
                Ok(mut client) if field == told => {
                    assert_eq!(client.event("__error").await["code"], code, "{query}");
                    client.closed().await;
                }
                Ok(mut client) => {
                    assert_eq!(status, 101, "{query}");
                    assert_eq!(client.next().await["type"], "__welcome");
                    client
                        .send(json!({ "type": "nowhere", "payload": "hunter2", "rpcId": 1 }))
                        .await;
                    assert_eq!(client.next().await["type"], "__rpc_err");
                }
                Err((got, body)) => assert_eq!(got, status, "{query}: {body}"),
            }
        }
        let lines = String::from_utf8(log.0.lock()[before..].to_vec()).unwrap();
        assert!(!lines.contains("hunter2"), "{query}:\n{lines}");
        let refusals: Vec<_> = lines
            .lines()
            .filter(|line| line.contains("handshake refused"))
            .collect();
        if status == 101 {
            assert!(refusals.is_empty(), "{refusals:?}");
        } else {
            let [line] = refusals.as_slice() else {
                panic!("expected one line, got {refusals:?}")
            };
            assert!(
                line.contains(" INFO ") && line.contains(&format!("status={status} code=\"{code}\"")),
                "{line}"
            );
            assert!(!line.contains("127.0.0.1"), "{line}");
            assert_eq!(recorded.get(&metric), counted + 1.0, "{metric}");
        }
    }
    let log = String::from_utf8(log.0.lock().clone()).unwrap();
    assert!(
        log.contains("path=\"/\""),
        "the span of tower-http is in the log: {log}"
    );
}

#[tokio::test]
async fn a_session_that_is_resumed_or_not_leaves_no_token_in_the_log() {
    let (log, _logging) = logging();
    let zo = Zocket::builder()
        .any_origin()
        .on_connect(async |_: Empty, _: ClientId, request: Parts| {
            tracing::info!(?request, "the app logs a request");
            Ok(())
        })
        .on_resume(async |_: Empty, request: Parts, _: zocket::Context<()>| {
            tracing::info!(?request, "the app logs a request");
            Ok(true)
        })
        .build();
    let server = serve(zo.serve(zo.router())).await;
    let mut secrets = Vec::new();
    let mut offer = "zocket.resume".to_owned();
    // A new session, one that is resumed, and one that is not, because the client has more than was sent.
    for n in [0, 0, 7] {
        let offers = format!("zocket.v1.json, {offer}");
        let fields = [("sec-websocket-protocol", &*offers)];
        let mut client = server.try_connect("", &fields).await.unwrap();
        let welcome = client.event("__welcome").await;
        client.send(json!({"type": "__ack", "payload": 0})).await;
        client.send(json!({"type": "__ping"})).await;
        while client.next().await["type"] != "__pong" {}
        let token = welcome["session"].as_str().unwrap().to_owned();
        offer = format!("zocket.resume.{token}.{n}");
        secrets.push(token[32..].to_owned());
    }
    zo.shutdown(Duration::from_secs(5)).await;
    let log = String::from_utf8(log.0.lock().clone()).unwrap();
    assert!(
        log.contains("session resumed") && log.contains("the app logs a request"),
        "{log}"
    );
    for secret in secrets {
        assert!(!log.contains(&secret), "{log}");
    }
}

#[tokio::test]
async fn an_app_that_is_full_logs_it_once_each_time() {
    let (log, _logging) = logging();
    let limits = AppLimits::default().connections(1);
    let zo = Zocket::builder().app_limits(limits).build();
    let server = serve(zo.serve(zo.router())).await;
    let warnings = || {
        let text = String::from_utf8(log.0.lock().clone()).unwrap();
        let lines = text
            .lines()
            .filter(|line| line.contains("reached a limit of AppLimits"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    for times in 1..=3 {
        let client = server.connect("").await;
        for _ in 0..5 {
            assert_eq!(server.try_connect("", &[]).await.err().unwrap().0, 503);
        }
        assert_eq!(warnings().len(), times);
        client.close().await;
        until(|| zo.connections() == 0).await;
    }
    assert!(
        warnings()
            .iter()
            .all(|line| line.contains(" WARN ") && line.contains("limit=Connections"))
    );
}
