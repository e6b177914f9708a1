//! One app on several HTTP servers, and inside layers of tower-http.

use std::{
    cell::RefCell,
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::common::{self, Server, connect_in_memory, listen, serve, until};
use axum::routing::get;
use garde::Validate;
use http::{HeaderName, Request, StatusCode, request::Parts};
use hyper::body::{Body, Incoming};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio_tungstenite::{connect_async, tungstenite::client::IntoClientRequest};
use tower::{BoxError, Layer, Service, ServiceBuilder};
use tower_http::{
    ServiceBuilderExt,
    cors::{Any, CorsLayer},
    request_id::{MakeRequestUuid, RequestId},
    timeout::TimeoutLayer,
    trace::TraceLayer,
};
use zocket::{ClientId, Context, Error, Outgoing, UpgradeService, Zocket};

#[derive(Deserialize, JsonSchema, Validate)]
struct Headers {
    #[garde(skip)]
    token: String,
}

#[derive(Serialize, JsonSchema)]
struct Said(String);

impl Outgoing for Said {
    const TYPE: &'static str = "said";
}

struct User {
    request_id: Option<String>,
    path: String,
    departures: Arc<AtomicUsize>,
}

async fn connect(
    departures: Arc<AtomicUsize>,
    headers: Headers,
    _: ClientId,
    request: Parts,
) -> Result<User, Error> {
    match headers.token.as_str() {
        "wrong" => return Err(Error::unauthorized("wrong token")),
        "slow" => std::future::pending().await,
        _ => {}
    }
    let request_id = request.extensions.get::<RequestId>();
    Ok(User {
        request_id: request_id.and_then(|id| Some(id.header_value().to_str().ok()?.to_owned())),
        path: request.uri.path().to_owned(),
        departures,
    })
}

/// Runs longer than [`BRIEFLY`].
async fn slow(_: Context<User>) -> Result<&'static str, Error> {
    tokio::time::sleep(BRIEFLY * 2).await;
    Ok("at last")
}

/// Request timeout of the test that has one.
const BRIEFLY: Duration = Duration::from_secs(1);

struct App {
    zo: Zocket<User>,
    departures: Arc<AtomicUsize>,
}

fn app() -> App {
    let departures = Arc::<AtomicUsize>::default();
    let zo = Zocket::builder()
        .on_connect_with(departures.clone(), connect)
        .any_origin()
        .on_open(async |cx: Context<User>| {
            cx.send(Said("welcome".into())).to([cx.client_id()]);
            Ok(())
        })
        .on_disconnect(async |cx: Context<User>| {
            cx.departures.fetch_add(1, Ordering::SeqCst);
        })
        .build();
    App { zo, departures }
}

impl App {
    fn service(&self) -> UpgradeService {
        let zo = &self.zo;
        let about = zo
            .message()
            .handle(async |cx: Context<User>| Ok((cx.path.clone(), cx.request_id.clone())));
        zo.serve(
            zo.router()
                .outgoing::<Said>()
                .incoming("about", about)
                .incoming("slow", zo.message().handle(slow)),
        )
    }

    /// Has one client connect, receive an event, call and disconnect. Another one is refused.
    async fn works(&self, server: &Server) {
        let mut client = server.connect("token=a%20b").await;
        assert_eq!(client.event("said").await, "welcome");
        let about = client.call("about", Value::Null).await.expect("an answer");
        assert!(about.is_some_and(|about| about[0].is_string()));
        let departures = self.departures.load(Ordering::SeqCst);
        client.close().await;
        until(|| self.zo.connections() == 0).await;
        assert_eq!(self.departures.load(Ordering::SeqCst), departures + 1);

        let refused = server.try_connect("token=wrong", &[]).await.err();
        let body = json!({ "error": "wrong token", "code": "UNAUTHORIZED" });
        assert_eq!(refused.expect("a refusal"), (401, body));
        let (status, body) = server.try_connect("", &[]).await.err().expect("a refusal");
        assert_eq!((status, &body["details"][0]["path"]), (400, &json!(["token"])));
    }
}

async fn axum_serve(router: axum::Router, path: &'static str) -> Server {
    let mut server = listen(move |listener| async move {
        let _ = axum::serve(listener, router).await;
    })
    .await;
    server.path = path;
    server
}

#[tokio::test]
async fn axum_serves_it_as_a_route_a_nest_and_a_fallback() {
    let app = app();
    let axum = || axum::Router::new().route("/health", get(async || "fine"));
    let inner = axum::Router::new().route_service("/ws", app.service());
    for (path, router) in [
        ("/ws", axum().route_service("/ws", app.service())),
        ("/ws/sub/path", axum().nest_service("/ws", app.service())),
        ("/ws", axum().nest_service("/ws", app.service())),
        ("/anything", axum().fallback_service(app.service())),
        ("/", axum().fallback_service(app.service())),
        ("/v1/ws", axum().nest("/v1", inner)),
    ] {
        app.works(&axum_serve(router.clone(), path).await).await;
        // The app is served by hyper alone.
        let mut server = serve(router).await;
        server.path = path;
        app.works(&server).await;
        // The server's other routes work, and open no sockets.
        server.path = "/health";
        let (status, body) = server.try_connect("token=a", &[]).await.err().unwrap();
        assert_eq!((status, body), (200, json!("fine")));
    }
}

#[tokio::test]
async fn bare_hyper_serves_it() {
    let app = app();
    // hyper-util's connection, for HTTP/1 and HTTP/2.
    let service = TowerToHyperService::new(app.service());
    let server = listen(move |listener| async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service.clone();
            tokio::spawn(async move {
                let _ = auto::Builder::new(TokioExecutor::new())
                    .serve_connection_with_upgrades(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
    app.works(&server.await).await;
    // hyper's own connection, for HTTP/1.
    let service = TowerToHyperService::new(app.service());
    let server = listen(move |listener| async move {
        while let Ok((stream, _)) = listener.accept().await {
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service.clone());
            tokio::spawn(connection.with_upgrades());
        }
    });
    app.works(&server.await).await;
}

#[tokio::test]
async fn on_disconnect_runs_when_hyper_serves_without_upgrades() {
    let app = app();
    let service = TowerToHyperService::new(app.service());
    let server = listen(move |listener| async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service.clone()),
            );
        }
    })
    .await;
    // The response is 101, but the upgrade never happens.
    let (mut socket, _) = connect_async(server.url("token=a")).await.unwrap();
    assert!(!matches!(
        futures_util::StreamExt::next(&mut socket).await,
        Some(Ok(_))
    ));
    until(|| app.departures.load(Ordering::SeqCst) == 1).await;
    until(|| app.zo.connections() == 0).await;
}

#[tokio::test]
async fn graceful_shutdown_of_the_server_includes_the_app() {
    let app = app();
    let router = axum::Router::new().route_service("/", app.service());
    let (stop, stopped) = oneshot::channel::<()>();
    let (end, ended) = oneshot::channel();
    let server = listen(move |listener| async move {
        let serving = axum::serve(listener, router).with_graceful_shutdown(async { drop(stopped.await) });
        let _ = end.send(serving.await);
    })
    .await;
    let mut client = server.connect("token=a").await;
    stop.send(()).unwrap();
    let (left, closed) = tokio::join!(
        app.zo.shutdown(common::PATIENCE),
        async move { client.closed().await }
    );
    assert_eq!((left, closed), (0, (1001, "going-away".to_owned())));
    tokio::time::timeout(common::PATIENCE, ended)
        .await
        .expect("it ends")
        .unwrap()
        .unwrap();
    assert_eq!(app.departures.load(Ordering::SeqCst), 1);
}

/// Returns the headers of the 101.
async fn fields(server: &Server, fields: &[(&'static str, &str)]) -> http::HeaderMap {
    let mut request = server.url("token=a").into_client_request().expect("a request");
    for (name, value) in fields {
        let value = value.parse().expect("a value");
        request.headers_mut().insert(*name, value);
    }
    let (_, response) = connect_async(request).await.expect("an upgrade");
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    response.headers().clone()
}

#[tokio::test]
async fn cors_and_request_id_layers_wrap_the_app() {
    let app = app();
    let stack = || {
        ServiceBuilder::new()
            .set_x_request_id(MakeRequestUuid)
            .propagate_x_request_id()
            .layer(CorsLayer::new().allow_origin(Any))
    };
    let router = axum::Router::new()
        .route_service("/", app.service())
        .layer(stack());
    let servers = [
        serve(stack().service(app.service())).await,
        axum_serve(router, "/").await,
    ];
    for server in &servers {
        app.works(server).await;
        // `on_connect` sees the id that the layer created.
        let mut client = server.connect("token=a").await;
        client.event("said").await;
        let about = client.call("about", Value::Null).await.unwrap().unwrap();
        assert_eq!(about[1].as_str().unwrap().len(), 36, "{about}");
        // It also sees an id from the client. Both ids are in the 101.
        let fields = fields(
            server,
            &[("origin", "http://a.example"), ("x-request-id", "mine")],
        )
        .await;
        assert_eq!(fields[HeaderName::from_static("x-request-id")], "mine");
        assert_eq!(fields["access-control-allow-origin"], "*");
    }
}

/// Checks an app within a timeout of its requests.
async fn outlives_its_timeout<S, B>(app: &App, service: S)
where
    S: Service<Request<Incoming>, Response = http::Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let gone = app.departures.load(Ordering::SeqCst);
    let mut client = connect_in_memory(&service, "token=a")
        .await
        .expect("a connection");
    assert_eq!(client.event("said").await, "welcome");
    let answer = client.call("slow", Value::Null).await.expect("an answer");
    assert_eq!(answer, Some(json!("at last")));
    client.close().await;
    until(|| app.zo.connections() == 0).await;
    // `on_connect` is part of the request, so the timeout applies.
    let (status, _) = connect_in_memory(&service, "token=slow")
        .await
        .err()
        .expect("a refusal");
    assert_eq!((status, app.zo.connections()), (503, 0));
    let mut next = connect_in_memory(&service, "token=a")
        .await
        .expect("a connection");
    assert_eq!(next.event("said").await, "welcome");
    next.close().await;
    until(|| app.zo.connections() == 0).await;
    assert_eq!(app.departures.load(Ordering::SeqCst), gone + 2);
}

#[tokio::test(start_paused = true)]
async fn an_open_socket_outlives_the_request_timeout() {
    let app = app();
    let timeout = || TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, BRIEFLY);
    outlives_its_timeout(&app, timeout().layer(app.service())).await;
    let router = axum::Router::new().route_service("/", app.service());
    outlives_its_timeout(&app, router.layer(timeout())).await;
}

thread_local! {
    /// The log of this thread, and so of this test.
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Writes to [`LOG`].
struct Log;

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_trace_without_query_strings_logs_no_token() {
    // A global subscriber, since a callsite that another thread reaches first would otherwise stay disabled.
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(|| Log)
        .init();
    let app = app();
    let trace = TraceLayer::new_for_http().make_span_with(|request: &Request<_>| {
        let (method, path) = (request.method(), request.uri().path());
        tracing::info_span!("request", %method, path)
    });
    let server = serve(ServiceBuilder::new().layer(trace).service(app.service())).await;
    let mut client = server.connect("token=hunter2&x-zocket-version=0.0.0").await;
    assert_eq!(client.event("said").await, "welcome");
    client.call("about", Value::Null).await.unwrap();
    client.call("no.such.route", json!("hunter2")).await.unwrap_err();
    client.close().await;
    until(|| app.zo.connections() == 0).await;
    // Two clients are refused: one without a token, one with a wrong token.
    server.try_connect("other=hunter2", &[]).await.err().unwrap();
    server
        .try_connect("token=wrong&other=hunter2", &[])
        .await
        .err()
        .unwrap();
    let text = String::from_utf8(LOG.take()).unwrap();
    assert!(text.contains("request{method=GET path=\"/\"}"), "{text}");
    assert!(text.contains("status=101"), "{text}");
    assert!(text.contains("status=401"), "{text}");
    assert!(text.contains("connection opened"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}
