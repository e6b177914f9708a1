//! An app on a node, whose callbacks are noted.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::{Either, ready};
use garde::Validate;
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tower::{
    BoxError,
    layer::{layer_fn, util::Identity},
    service_fn,
};
use zocket::{
    Builder, ClientId, Context, Error, Limits, Reason, Target, Zocket,
    cluster::{BoxEngine, EngineRequest, NatsHub, NatsOptions},
};

use crate::{
    common::{Client, Server, serve},
    nats::Nats,
};

#[derive(Deserialize, JsonSchema, Validate)]
struct Headers {
    #[garde(skip)]
    name: Option<String>,
}

/// The callbacks of all nodes, in their order.
#[derive(Clone, Default)]
pub(super) struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    pub(super) fn note(&self, text: String) {
        self.0.lock().push(text);
    }

    pub(super) fn all(&self) -> Vec<String> {
        self.0.lock().clone()
    }
}

type AppBuilder = Builder<String, Identity>;

/// A node with an app.
pub(super) struct Node {
    pub(super) zo: Zocket<String>,
    pub(super) server: Server,
    /// While true, nothing of this node reaches the others.
    pub(super) is_mute: Arc<AtomicBool>,
}

impl Node {
    pub(super) async fn start(nats: &Nats, notes: &Notes, node: &'static str) -> Self {
        Self::start_with(nats, notes, node, |builder| builder).await
    }

    /// Starts a node whose app has more callbacks.
    pub(super) async fn start_with(
        nats: &Nats,
        notes: &Notes,
        node: &'static str,
        callbacks: impl FnOnce(AppBuilder) -> AppBuilder,
    ) -> Self {
        let is_mute = Arc::<AtomicBool>::default();
        let muted = is_mute.clone();
        let options = NatsOptions::default().layer(layer_fn(move |engine| mute(engine, muted.clone())));
        let hub = NatsHub::connect(&*nats.url(), options).await.unwrap();
        let (connects, departs, runs) = (notes.clone(), notes.clone(), notes.clone());
        let builder = Zocket::builder()
            .hub(hub)
            .limits(Limits::default().linger(Duration::from_secs(5)))
            .on_connect_with(
                (connects, node),
                async |(notes, node): (Notes, &str), headers: Headers, _: ClientId| {
                    let name = headers.name.unwrap_or_default();
                    notes.note(format!("{name} came to {node}"));
                    Ok::<_, Error>(name)
                },
            )
            .on_disconnect(move |cx: Context<String>, reason: Reason| {
                let notes = departs.clone();
                async move {
                    // Another node that does not wait for this is ahead of it.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    notes.note(format!("{} left {node}: {reason}", *cx));
                }
            });
        let zo = callbacks(builder).build();
        let join = async |cx: Context<String>| cx.rooms().join("lobby");
        // Of all nodes, as they say at this moment.
        let members = async |cx: Context<String>| Ok::<_, Error>(cx.rooms().members("lobby").await.len());
        // It ends with the session.
        let hold = move |cx: Context<String>| {
            let notes = runs.clone();
            async move {
                notes.note(format!("{} runs on {node}", *cx));
                cx.closed().await;
                Ok::<_, Error>(())
            }
        };
        let kick = async |cx: Context<String>| {
            cx.clients(Target::room("lobby")).disconnect(4000, "kicked");
            Ok::<_, Error>(())
        };
        let message = zo.message();
        let router = zo
            .router()
            .incoming("join", message.clone().handle(join))
            .incoming("members", message.clone().handle(members))
            .incoming("hold", message.clone().concurrent().handle(hold))
            .incoming("kick", message.handle(kick));
        let server = serve(zo.serve(router)).await;
        Self { zo, server, is_mute }
    }

    /// Opens a WebSocket with an offer to resume: `zocket.resume`, or one with a token.
    pub(super) async fn dial(&self, name: &str, offer: &str) -> Client {
        let offers = format!("zocket.v1.json, {offer}");
        let offers = [("sec-websocket-protocol", &*offers)];
        let query = format!("name={name}");
        self.server.try_connect(&query, &offers).await.unwrap()
    }

    /// Connects a client like [`dial`](Self::dial). Returns it with its welcome.
    pub(super) async fn connect(&self, name: &str, offer: &str) -> (Client, Value) {
        let mut client = self.dial(name, offer).await;
        let welcome = client.event("__welcome").await;
        // Shows that the token has arrived.
        client.send(json!({"type": "__ack", "payload": 0})).await;
        (client, welcome)
    }

    /// Connects a client that begins a session. Returns it with its token.
    pub(super) async fn begin(&self, name: &str) -> (Client, String) {
        let (client, welcome) = self.connect(name, "zocket.resume").await;
        (client, welcome["session"].as_str().unwrap().to_owned())
    }
}

/// Drops what an engine would publish while the flag is set.
fn mute(
    mut engine: BoxEngine,
    is_mute: Arc<AtomicBool>,
) -> impl tower::Service<EngineRequest, Response = (), Error = BoxError, Future: Send> + Send {
    service_fn(move |request| {
        let is_publication = matches!(request, EngineRequest::Publish { .. });
        match is_publication && is_mute.load(Ordering::Relaxed) {
            true => Either::Left(ready(Ok(()))),
            // The engine is always ready.
            false => Either::Right(tower::Service::call(&mut engine, request)),
        }
    })
}
