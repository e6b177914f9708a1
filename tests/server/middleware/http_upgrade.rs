//! tower-http's layers around the upgrade.

use std::{
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{
    HeaderName, HeaderValue, Request, Response, StatusCode,
    header::{ACCESS_CONTROL_ALLOW_ORIGIN, AUTHORIZATION, CONTENT_ENCODING},
    request::Parts,
};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::{BoxError, Layer, Service, util::MapRequestLayer};
use tower_http::{
    add_extension::AddExtensionLayer,
    catch_panic::CatchPanicLayer,
    compression::CompressionLayer,
    cors::CorsLayer,
    limit::RequestBodyLimitLayer,
    request_id::{MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer},
    sensitive_headers::SetSensitiveRequestHeadersLayer,
    set_header::{SetRequestHeaderLayer, SetResponseHeaderLayer},
    timeout::TimeoutLayer,
    trace::TraceLayer,
    validate_request::ValidateRequestHeaderLayer,
};
use tracing::Span;
use zocket::{ClientId, Context, Error, NoHeaders, UpgradeService, Zocket};

use super::{
    common::{self, raw::handshake},
    site::{Client, connect},
};

/// Returns an app with this `on_connect`, and with a route `result` that answers its result.
macro_rules! app {
    ($on_connect:expr) => {{
        let zo = Zocket::builder().on_connect($on_connect).any_origin().build();
        let result = zo
            .message()
            .handle(async |cx: Context<String>| Ok(String::clone(&cx)));
        zo.serve(zo.router().incoming("result", result))
    }};
}

fn open() -> UpgradeService {
    app!(async |_: NoHeaders, _: ClientId| Ok("here".to_owned()))
}

async fn connect_result(client: &mut Client) -> String {
    let answer = client
        .call("result", serde_json::Value::Null)
        .await
        .unwrap()
        .unwrap();
    answer.as_str().unwrap().to_owned()
}

/// Sends a handshake with additional header fields to the service. Returns the response's head and body.
async fn answer<S, B>(service: &S, fields: &str) -> String
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: hyper::body::Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let (mut near, far) = tokio::io::duplex(1 << 16);
    let service = TowerToHyperService::new(service.clone());
    let serving = http1::Builder::new()
        .serve_connection(TokioIo::new(far), service)
        .with_upgrades();
    tokio::spawn(async move { drop(serving.await) });
    near.write_all(handshake(fields).as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let reading = async { while near.read_buf(&mut answer).await.unwrap() > 0 {} };
    let _ = tokio::time::timeout(common::PATIENCE, reading).await;
    String::from_utf8_lossy(&answer).to_lowercase()
}

#[tokio::test(start_paused = true)]
async fn http_trace_logs_the_upgrade_and_no_message() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let statuses = log.clone();
    let trace =
        TraceLayer::new_for_http().on_response(move |response: &Response<_>, _: Duration, _: &Span| {
            statuses.lock().unwrap().push(response.status());
        });
    let mut client = connect(&trace.layer(open())).await;
    assert_eq!(connect_result(&mut client).await, "here");
    assert_eq!(*log.lock().unwrap(), [StatusCode::SWITCHING_PROTOCOLS]);
}

#[tokio::test(start_paused = true)]
async fn an_http_timeout_ends_a_slow_on_connect_but_no_open_connection() {
    let timeout = TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, Duration::from_secs(1));
    let slow = app!(async |_: NoHeaders, _: ClientId| {
        pending::<()>().await;
        Ok(String::new())
    });
    assert!(
        answer(&timeout.layer(slow), "")
            .await
            .starts_with("http/1.1 503 ")
    );
    let mut client = connect(&timeout.layer(open())).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(connect_result(&mut client).await, "here");
}

#[derive(Clone)]
struct Seven;

impl MakeRequestId for Seven {
    fn make_request_id<B>(&mut self, _: &Request<B>) -> Option<RequestId> {
        Some(RequestId::new(HeaderValue::from_static("seven")))
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_id_is_in_the_101_and_in_the_connections_messages() {
    let zo = Zocket::builder()
        .layer(MapRequestLayer::new(|message: zocket::Message| {
            let id = message.parts().connection().extensions().get::<RequestId>();
            assert_eq!(id.unwrap().header_value(), "seven");
            message
        }))
        .build();
    let here = zo.message().handle(async |_: Context<()>| Ok("here"));
    let app = zo.serve(zo.router().incoming("result", here));
    let app =
        SetRequestIdLayer::x_request_id(Seven).layer(PropagateRequestIdLayer::x_request_id().layer(app));
    assert!(answer(&app, "").await.contains("x-request-id: seven"));
    assert_eq!(connect_result(&mut connect(&app).await).await, "here");
}

/// Browsers do not apply CORS to WebSockets: the layer neither blocks a page nor is needed by one.
#[tokio::test(start_paused = true)]
async fn cors_allows_every_origin() {
    let cors = CorsLayer::new().allow_origin(HeaderValue::from_static("https://ours.example"));
    let answer = answer(&cors.layer(open()), "Origin: https://elsewhere.example\r\n").await;
    assert!(answer.starts_with("http/1.1 101 "), "{answer}");
    assert!(
        answer.contains(&format!("{ACCESS_CONTROL_ALLOW_ORIGIN}: https://ours.example")),
        "{answer}"
    );
}

#[tokio::test(start_paused = true)]
async fn compression_applies_to_refusals_and_not_to_messages() {
    let app = CompressionLayer::new().layer(open());
    let zipped = format!("{CONTENT_ENCODING}: gzip");
    let upgraded = answer(&app, "Accept-Encoding: gzip\r\n").await;
    assert!(
        upgraded.starts_with("http/1.1 101 ") && !upgraded.contains(&zipped),
        "{upgraded}"
    );
    let refused = CompressionLayer::new().layer(app!(async |_: NoHeaders, _: ClientId| {
        Err::<String, _>(Error::forbidden("a reason that is longer than thirty-two bytes"))
    }));
    let refused = answer(&refused, "Accept-Encoding: gzip\r\n").await;
    assert!(
        refused.starts_with("http/1.1 403 ") && refused.contains(&zipped),
        "{refused}"
    );
}

#[tokio::test(start_paused = true)]
async fn sensitive_headers_are_marked_for_on_connect() {
    let app = app!(async |_: NoHeaders, _: ClientId, request: Parts| {
        Ok(format!("{:?}", request.headers[AUTHORIZATION]))
    });
    let app = SetSensitiveRequestHeadersLayer::new([AUTHORIZATION]).layer(app);
    let app = SetRequestHeaderLayer::overriding(AUTHORIZATION, HeaderValue::from_static("secret")).layer(app);
    assert_eq!(connect_result(&mut connect(&app).await).await, "Sensitive");
}

/// The app itself answers a panic in `on_connect`.
#[tokio::test(start_paused = true)]
async fn catch_panic_handles_panics_of_other_layers() {
    let app = MapRequestLayer::new(|_: Request<Incoming>| -> Request<Incoming> { panic!("a layer's") })
        .layer(open());
    let app = CatchPanicLayer::new().layer(app);
    assert!(answer(&app, "").await.starts_with("http/1.1 500 "));
    let app = app!(async |_: NoHeaders, _: ClientId| -> Result<String, Error> { panic!("on_connect's") });
    assert!(answer(&app, "").await.starts_with("http/1.1 500 "));
}

/// An upgrade request has no body, and the limit does not apply to messages.
#[tokio::test(start_paused = true)]
async fn a_body_limit_refuses_an_upgrade_with_a_body_but_no_message() {
    let app = RequestBodyLimitLayer::new(10).layer(open());
    assert!(
        answer(&app, "Content-Length: 11\r\n")
            .await
            .starts_with("http/1.1 413 ")
    );
    let mut client = connect(&app).await;
    client
        .send_text(r#"{"type":"result","payload":"longer than ten bytes","rpcId":1}"#)
        .await;
    assert!(client.answer(&1.into()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn authorization_admits_clients_with_the_token() {
    #[allow(deprecated, reason = "good enough to show it")]
    let app = ValidateRequestHeaderLayer::bearer("secret").layer(open());
    assert!(answer(&app, "").await.starts_with("http/1.1 401 "));
    assert!(
        answer(&app, "Authorization: Bearer secret\r\n")
            .await
            .starts_with("http/1.1 101 ")
    );
}

#[tokio::test(start_paused = true)]
async fn on_connect_reads_request_extensions() {
    let app = app!(async |_: NoHeaders, _: ClientId, request: Parts| {
        Ok(request
            .extensions
            .get::<&str>()
            .copied()
            .unwrap_or_default()
            .to_owned())
    });
    let app = AddExtensionLayer::new("added").layer(app);
    assert_eq!(connect_result(&mut connect(&app).await).await, "added");
}

#[tokio::test(start_paused = true)]
async fn set_header_layers_change_the_request_and_the_101() {
    let app = app!(async |_: NoHeaders, _: ClientId, request: Parts| {
        Ok(request.headers["x-set"].to_str().unwrap().to_owned())
    });
    let (name, value) = (HeaderName::from_static("x-set"), HeaderValue::from_static("set"));
    let app = SetRequestHeaderLayer::overriding(name.clone(), value.clone()).layer(app);
    let app = SetResponseHeaderLayer::overriding(name, value).layer(app);
    assert!(answer(&app, "").await.contains("x-set: set"));
    assert_eq!(connect_result(&mut connect(&app).await).await, "set");
}
