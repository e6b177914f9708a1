//! The server under attack, with a bystander.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use garde::Validate;
use hyper::server::conn::http1;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use zocket::{ClientId, Context, Error, Limits, LocalHub, Outgoing, Zocket};

use super::common::{Client, Server, raw::Raw, serve_by, until};

#[derive(Deserialize, JsonSchema, Validate)]
struct Headers {
    #[serde(default)]
    #[garde(skip)]
    panic: String,
}

/// A client's context: the place of its panic, and the shared counters.
pub struct Visitor {
    panic: String,
    counts: Counts,
}

impl Visitor {
    fn panic_in(&self, place: &str) {
        assert!(self.panic != place, "as asked for, in {place}");
    }
}

#[derive(Clone)]
pub struct Counts {
    connected: Arc<AtomicUsize>,
    disconnected: Arc<AtomicUsize>,
    begun: Arc<Semaphore>,
}

impl Counts {
    /// Returns the number of clients that `on_connect` has accepted.
    pub fn connected(&self) -> usize {
        self.connected.load(Ordering::SeqCst)
    }

    /// Returns the number of started `on_disconnect` runs.
    pub fn disconnected(&self) -> usize {
        self.disconnected.load(Ordering::SeqCst)
    }

    /// Waits until a handler that panics late has started.
    pub async fn begun(&self) {
        self.begun.acquire().await.unwrap().forget();
    }
}

#[derive(Serialize, JsonSchema)]
struct Noise(String);

impl Outgoing for Noise {
    const TYPE: &'static str = "noise";
}

#[derive(Deserialize, Serialize, JsonSchema, Validate)]
struct Small {
    #[garde(skip)]
    n: u8,
}

#[derive(Deserialize, Serialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
struct Numbers {
    #[serde(skip_serializing_if = "Option::is_none")]
    natural: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    integer: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    float: Option<f64>,
}

#[derive(Deserialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
struct Room {
    room: String,
}

#[derive(Deserialize, Serialize, JsonSchema, Validate)]
#[garde(allow_unvalidated)]
struct Anything {
    any: Value,
}

#[derive(Deserialize, Serialize, JsonSchema, Validate)]
struct Texts {
    #[garde(inner(length(chars, min = 1)))]
    texts: Vec<String>,
}

/// Echoes its input.
async fn same<T>(_: Context<Visitor>, input: T) -> Result<T, Error> {
    Ok(input)
}

/// A server with an accessible hub, and a client that takes no part in the attack.
pub struct Site {
    pub zo: Zocket<Visitor>,
    pub hub: Arc<LocalHub>,
    pub counts: Counts,
    pub server: Server,
    pub bystander: Client,
}

impl Site {
    pub async fn new() -> Self {
        Self::with(Limits::default()).await
    }

    /// Starts a site, and a raw connection for the attack.
    pub async fn with_attacker() -> (Self, Raw) {
        let site = Self::new().await;
        let raw = site.server.raw().await;
        (site, raw)
    }

    pub async fn with(limits: Limits) -> Self {
        Self::served(limits, http1::Builder::new()).await
    }

    pub async fn served(limits: Limits, http: http1::Builder) -> Self {
        let hub = Arc::new(LocalHub::with_limits(&limits));
        let counts = Counts {
            connected: Arc::default(),
            disconnected: Arc::default(),
            begun: Arc::new(Semaphore::new(0)),
        };
        let zo = Zocket::builder()
            .on_connect_with(
                counts.clone(),
                async |counts: Counts, Headers { panic }: Headers, _: ClientId| {
                    let visitor = Visitor { panic, counts };
                    visitor.panic_in("on_connect");
                    visitor.counts.connected.fetch_add(1, Ordering::SeqCst);
                    Ok(visitor)
                },
            )
            .on_open(async |cx: Context<Visitor>| {
                // Each client joins a room that all share and one of its own. A leak would show in either.
                cx.rooms().join("lobby")?;
                cx.rooms().join(cx.client_id().to_string())?;
                cx.panic_in("on_open");
                Ok(())
            })
            .on_disconnect(async |cx: Context<Visitor>| {
                cx.counts.disconnected.fetch_add(1, Ordering::SeqCst);
                cx.panic_in("on_disconnect");
            })
            .limits(limits)
            .hub(hub.clone())
            .build();
        let router = zo
            .router()
            .outgoing::<Noise>()
            .incoming(
                "here",
                zo.message().handle(async |_: Context<Visitor>| Ok("here")),
            )
            .incoming("small", zo.message().input::<Small>().handle(same::<Small>))
            .incoming("any", zo.message().input::<Anything>().handle(same::<Anything>))
            .incoming("texts", zo.message().input::<Texts>().handle(same::<Texts>))
            .incoming(
                "noise",
                zo.message().handle(async |cx: Context<Visitor>| {
                    cx.send(Noise("!".to_owned())).to_room(cx.client_id().to_string());
                    Ok(())
                }),
            )
            .incoming("numbers", zo.message().input::<Numbers>().handle(same::<Numbers>))
            .incoming(
                "big",
                zo.message()
                    .handle(async |_: Context<Visitor>| Ok("x".repeat(100_000))),
            )
            .incoming(
                "join",
                zo.message()
                    .input::<Room>()
                    .handle(async |cx: Context<Visitor>, Room { room }: Room| cx.rooms().join(room)),
            )
            .incoming(
                "panic.handler",
                zo.message()
                    .handle(async |cx: Context<Visitor>| -> Result<(), Error> {
                        panic!("as asked for, by {}", cx.client_id())
                    }),
            )
            .incoming(
                "panic.middleware",
                zo.message()
                    .with(async |_: Context<Visitor>| -> Result<(), Error> { panic!("as asked for") })
                    .handle(async |_: Context<()>| Ok(())),
            )
            .incoming(
                // Waits until its client has disconnected, and panics.
                "panic.late",
                zo.message()
                    .handle(async |cx: Context<Visitor>| -> Result<(), Error> {
                        cx.counts.begun.add_permits(1);
                        cx.closed().await;
                        panic!("as asked for, too late to be told")
                    }),
            );
        let server = serve_by(zo.serve(router), http).await;
        let bystander = server.connect("").await;
        let site = Self {
            zo,
            hub,
            counts,
            server,
            bystander,
        };
        until(|| site.hub.room_count() == 2).await;
        site
    }

    /// Asserts that the server accepts clients, that the bystander was not affected and can still call, and that all
    /// other connections, clients and rooms are gone, as are the bystander's after its own disconnect.
    pub async fn assert_unaffected(mut self) {
        self.bystander.expect_nothing().await;
        let mut newcomer = self.server.connect("").await;
        assert_eq!(newcomer.call("here", Value::Null).await, Ok(Some(json!("here"))));
        newcomer.close().await;
        // The bystander is in two rooms: the lobby and its own.
        until(|| left(&self.zo, &self.hub) == (1, 1, 2)).await;
        assert_eq!(
            self.bystander.call("here", Value::Null).await,
            Ok(Some(json!("here")))
        );
        self.bystander.close().await;
        until(|| left(&self.zo, &self.hub) == (0, 0, 0)).await;
        assert_eq!(
            self.counts.connected(),
            self.counts.disconnected(),
            "on_connect and on_disconnect do not pair"
        );
    }

    /// Closes the attacker's connection, and calls [`Self::assert_unaffected`].
    pub fn assert_unaffected_without(self, attacker: Raw) -> impl Future<Output = ()> {
        drop(attacker);
        self.assert_unaffected()
    }

    /// Waits until only the bystander is connected.
    pub async fn wait_until_only_bystander_is_left(&self) {
        until(|| self.zo.connections() == 1).await;
    }

    /// Asserts that all clients are gone. The bystander is, too, where clients are pinged, since it answers no ping.
    pub async fn assert_no_client_is_left(self) {
        until(|| self.zo.connections() == 0).await;
        assert_eq!(left(&self.zo, &self.hub), (0, 0, 0));
    }
}

/// Returns the number of connections, and of the hub's clients and rooms.
fn left(zo: &Zocket<Visitor>, hub: &LocalHub) -> (usize, usize, usize) {
    (zo.connections(), hub.client_count(), hub.room_count())
}
