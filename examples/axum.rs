//! An axum app with routes, state, cookies, tower-http layers, and a WebSocket.
//!
//! `cargo run --example axum`: `POST /login/Ann` sets a cookie, `/ws` identifies the user by it, and `POST /orders/7`
//! sends an event to all sockets.

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
#[derive(Clone, Default)]
struct Sessions(Arc<Mutex<HashMap<String, String>>>);

impl Sessions {
    fn begin(&self, name: String) -> String {
        let session = ClientId::random().to_string();
        self.0.lock().insert(session.clone(), name);
        session
    }

    fn owner(&self, request: &Parts) -> Option<String> {
        let cookies = CookieJar::from_headers(&request.headers);
        self.0.lock().get(cookies.get("session")?.value()).cloned()
    }
}

#[derive(Clone)]
struct App {
    sessions: Sessions,
    emitter: Emitter,
}

async fn log_in(
    State(app): State<App>,
    Path(name): Path<String>,
    cookies: CookieJar,
) -> (CookieJar, &'static str) {
    let cookie = Cookie::build(("session", app.sessions.begin(name)));
    let cookie = cookie.http_only(true).same_site(SameSite::Strict).path("/");
    (cookies.add(cookie), "welcome")
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
        .on_connect_with(
            sessions.clone(),
            async |sessions: Sessions, _: NoHeaders, _: ClientId, request: Parts| {
                sessions
                    .owner(&request)
                    .ok_or(Refusal::unauthorized("log in first"))
            },
        )
        // A browser sends the cookie for pages of every site.
        .origins(Origins::same())
        .build();
    let whoami = zo
        .message()
        .handle(async |cx: Context<String>| Ok(cx.to_string()));
    let router = zo.router().outgoing::<Ordered>().incoming("whoami", whoami);

    let layers = ServiceBuilder::new()
        // A subprotocol may be a token.
        .sensitive_request_headers([SEC_WEBSOCKET_PROTOCOL].into())
        .set_x_request_id(MakeRequestUuid)
        .layer(TraceLayer::new_for_http().make_span_with(path_only))
        .propagate_x_request_id()
        // The timeout applies to requests, including the handshake, and not to open connections.
        .layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            Duration::from_secs(10),
        ));
    let app = Router::new()
        .route("/", get(async || "an app that was here before"))
        .route("/login/{name}", post(log_in))
        .route("/orders/{number}", post(order))
        .with_state(App {
            sessions,
            emitter: zo.emitter(),
        })
        .route_service("/ws", zo.serve(router))
        .layer(layers);

    let addr = env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = server::listen(addr).await?;
    tracing::info!("listening on {}", listener.local_addr()?);
    server::serve(listener, app).await;
    Ok(())
}
