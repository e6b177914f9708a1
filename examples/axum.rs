//! An axum app with routes, state, cookies, tower-http layers, and a WebSocket.
//!
//! `cargo run --example axum`: `POST /login/Ann` sets a cookie, `/ws` identifies the user by it, and `POST /orders/7`
//! sends an event to all sockets. Ctrl+C or SIGTERM ends it: requests and calls in flight are answered before.

mod stop;

use std::{collections::HashMap, env, error::Error, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Path, Request, State},
    http::{StatusCode, header::SEC_WEBSOCKET_PROTOCOL, request::Parts},
    routing::{get, post},
};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::{sync::oneshot, time::sleep};
use tower::ServiceBuilder;
use tower_http::{ServiceBuilderExt, request_id::MakeRequestUuid, timeout::TimeoutLayer, trace::TraceLayer};
use zocket::{ClientId, Context, Emitter, Error as Refusal, NoHeaders, Origins, Outgoing, Zocket, server};

/// An order was placed.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Ordered {
    number: u32,
}

impl Outgoing for Ordered {
    const TYPE: &'static str = "orders.new";
}

/// Users' names by session cookie.
type Sessions = Arc<Mutex<HashMap<String, String>>>;

#[derive(Clone)]
struct App {
    sessions: Sessions,
    emitter: Emitter,
}

async fn log_in(State(app): State<App>, Path(name): Path<String>, cookies: CookieJar) -> CookieJar {
    let session = ClientId::random().to_string();
    app.sessions.lock().insert(session.clone(), name);
    let cookie = Cookie::build(("session", session));
    cookies.add(cookie.http_only(true).same_site(SameSite::Strict).path("/"))
}

/// Identifies the user of a WebSocket by the cookie.
async fn user(sessions: Sessions, _: NoHeaders, _: ClientId, request: Parts) -> Result<String, Refusal> {
    let cookies = CookieJar::from_headers(&request.headers);
    let session = cookies.get("session").map_or("", Cookie::value);
    let name = sessions.lock().get(session).cloned();
    name.ok_or(Refusal::unauthorized("log in first"))
}

/// An HTTP handler that sends an event to all sockets.
async fn order(State(app): State<App>, Path(number): Path<u32>) -> StatusCode {
    match app.emitter.send(Ordered { number }).broadcast() {
        Ok(()) => StatusCode::CREATED,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// Opens the span of a request. The default one holds the whole URI, whose query may have a token.
fn path_only(request: &Request) -> tracing::Span {
    tracing::info_span!("http", method = %request.method(), path = request.uri().path())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().init();
    let sessions = Sessions::default();
    let zo = Zocket::builder()
        .on_connect_with(sessions.clone(), user)
        // A browser sends the cookie for pages of every site.
        .origins(Origins::same())
        .build();
    let whoami = zo.message().handle(async |cx: Context<String>| {
        sleep(Duration::from_secs(1)).await; // say, a slow query
        Ok(cx.to_string())
    });
    let router = zo.router().outgoing::<Ordered>().incoming("whoami", whoami);

    // It applies to requests, including the handshake, and not to open connections.
    let timeout = TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, Duration::from_secs(10));
    let layers = ServiceBuilder::new()
        // A subprotocol may be a token.
        .sensitive_request_headers([SEC_WEBSOCKET_PROTOCOL].into())
        .set_x_request_id(MakeRequestUuid)
        .layer(TraceLayer::new_for_http().make_span_with(path_only))
        .propagate_x_request_id()
        .layer(timeout);
    let emitter = zo.emitter();
    let app = Router::new()
        .route("/", get(async || "an app that was here before"))
        .route("/login/{name}", post(log_in))
        .route("/orders/{number}", post(order))
        .with_state(App { sessions, emitter })
        .route_service("/ws", zo.serve(router))
        .layer(layers);

    let addr = env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = server::listen(addr).await?;
    tracing::info!("listening on {}", listener.local_addr()?);
    // In a task of its own, which ends when requests in progress have been answered. `axum::serve(listener, app)` with
    // its `with_graceful_shutdown` may take this place. It has no limits for heads and for silent connections.
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(server::serve_until(listener, app, async { drop(stopped.await) }));
    stop::asked_to_stop().await?;

    // 1. No connection is accepted any more, and requests in progress are answered.
    let _ = stop.send(());
    // 2. At the same time, calls in flight are answered, and each WebSocket is closed.
    let cut = zo.shutdown(Duration::from_secs(5)).await;
    serving.await?;
    tracing::info!(cut, "stopped");
    Ok(())
}
