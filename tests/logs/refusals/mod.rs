//! Failures and the refusals that clients receive: PROTOCOL.md, section 2, from outside.
#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "what is unwrapped by a test's helper is part of the test"
)]

use crate::common;

pub(super) mod log;

mod app_errors;
mod bad_request;
mod data;
mod internal;
mod not_found;
mod on_open;
mod overloaded;
mod parse_error;
mod rfc_6455;
mod rpc_id;
mod timeout;
mod too_large;

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use common::{Client, Refusal, Server, serve};
use log::Log;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::{Notify, Semaphore};
use tower::layer::util::Identity;
use zocket::{Builder, ClientId, Context, Error, NoHeaders, Outgoing, Router, UpgradeService, Zocket};

/// State of most of these tests: a route that answers, one that fails, and one that waits.
#[derive(Clone)]
struct State {
    runs: Arc<AtomicUsize>,
    begun: Arc<Semaphore>,
    gate: Arc<Notify>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            runs: Arc::default(),
            begun: Arc::new(Semaphore::new(0)),
            gate: Arc::default(),
        }
    }
}

impl State {
    /// Returns the number of handlers that have run.
    fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }

    /// Waits until one more handler is waiting.
    async fn begun(&self) {
        self.begun.acquire().await.unwrap().forget();
    }
}

type App = Zocket<State>;

fn app(state: &State) -> App {
    builder(state).build()
}

fn builder(state: &State) -> Builder<State, Identity> {
    Log::keep();
    Zocket::builder().on_connect_with(state.clone(), async |state: State, _: NoHeaders, _: ClientId| {
        Ok(state)
    })
}

/// Counts its runs.
async fn echo(cx: Context<State>) -> Result<&'static str, Error> {
    cx.runs.fetch_add(1, Ordering::SeqCst);
    Ok("here")
}

/// Signals that it has started, and waits for its release.
async fn wait(cx: Context<State>) -> Result<&'static str, Error> {
    cx.runs.fetch_add(1, Ordering::SeqCst);
    cx.begun.add_permits(1);
    cx.gate.notified().await;
    Ok("done")
}

async fn never(_: Context<State>) -> Result<(), Error> {
    pending().await
}

async fn bug(_: Context<State>) -> Result<(), Error> {
    panic!("secret: the handler's")
}

/// Returns a router with `echo` only.
fn echoing(zo: &Zocket<State>) -> Router<State> {
    zo.router().incoming("echo", zo.message().handle(echo))
}

/// Returns a router with all routes.
fn router(zo: &Zocket<State>) -> Router<State> {
    echoing(zo)
        .incoming("wait", zo.message().handle(wait))
        .incoming("never", zo.message().handle(never))
        .incoming("bug", zo.message().handle(bug))
}

async fn site() -> (State, Server) {
    let state = State::default();
    let zo = app(&state);
    let server = serve(zo.serve(router(&zo))).await;
    (state, server)
}

/// Returns a client of the [`site`].
async fn visit() -> (State, Client) {
    let (state, server) = site().await;
    let client = server.connect("").await;
    (state, client)
}

/// Connects the only client of an app.
async fn connect(app: UpgradeService) -> Client {
    serve(app).await.connect("").await
}

#[derive(Serialize, JsonSchema)]
struct Tick(String);

impl Outgoing for Tick {
    const TYPE: &'static str = "tick";
}

/// Returns the refusal of a call without payload, which must fail.
async fn refusal_of(client: &mut Client, route: &str) -> Refusal {
    client.call(route, Value::Null).await.unwrap_err()
}

/// Returns the code of that refusal.
async fn code(client: &mut Client, route: &str) -> String {
    refusal_of(client, route).await.code().to_owned()
}
