//! A simulator: an app and its clients in one process, over connections that a seed breaks.
//!
//! A *run* has a new app, several clients, and a list of faults: connections that are cut at any byte, that stall, that
//! stay open while nothing arrives any more, clients that stay away, slow readers, latency, slow handlers, a shutdown.
//! A seed decides all of them. The clock is paused, so a run takes milliseconds. It takes the same course each time.
//!
//! Each run checks what must hold for every app:
//!
//! - Each client receives the events that were sent to it, in order and without gaps, as long as its connection lives.
//! - Each call is answered at most once, and exactly once if its connection lives, before the answer to a Close.
//! - No connection ends without a Close or a fault.
//! - After the last client has gone, every connection ends, and nobody is left in the hub or in a room.
//! - A shutdown ends within its grace period.
//!
//! An app adds its own checks: in the script of its clients, and with [`SimApp::at_end`].
//!
//! ```
//! use std::{sync::{Arc, atomic::{AtomicI64, Ordering::Relaxed}}, time::Duration};
//!
//! use garde::Validate;
//! use schemars::JsonSchema;
//! use serde::{Deserialize, Serialize};
//! use zocket::{
//!     ClientId, Context, Incoming, NoHeaders, Outgoing, Zocket, testing::sim::{Sim, SimApp, SimClient, World},
//! };
//!
//! #[derive(Serialize, Deserialize, JsonSchema, Validate)]
//! struct Ring {}
//! impl Incoming for Ring { const TYPE: &'static str = "bell.ring"; type Answer = (); }
//!
//! #[derive(Serialize, Deserialize, JsonSchema)]
//! struct Rang { by: ClientId }
//! impl Outgoing for Rang { const TYPE: &'static str = "bell.rang"; }
//!
//! fn app(world: &World) -> SimApp {
//!     let here = Arc::new(AtomicI64::new(0));
//!     let (left, at_end) = (here.clone(), here.clone());
//!     let pausing = world.clone();
//!     let zo = Zocket::builder()
//!         .on_connect_with((here, pausing), async |(here, world): (Arc<AtomicI64>, World), _: NoHeaders, _: ClientId| {
//!             here.fetch_add(1, Relaxed);
//!             Ok(world)
//!         })
//!         .on_disconnect(move |_: Context<World>| {
//!             left.fetch_sub(1, Relaxed);
//!             async {}
//!         })
//!         .hub(world.hub())
//!         .build();
//!     let ring = zo.message().handle(async |cx: Context<World>, _: Ring| {
//!         cx.send(Rang { by: cx.client_id() }).broadcast();
//!         // Sometimes.
//!         cx.pause(Duration::from_millis(100)).await;
//!         Ok(())
//!     });
//!     let router = zo.router().outgoing::<Rang>().receive::<Ring>(ring);
//!     SimApp::new(&zo, zo.serve(router)).at_end(move || assert_eq!(at_end.load(Relaxed), 0))
//! }
//!
//! async fn script(client: SimClient) {
//!     for _ in 0..5 {
//!         let id = client.client_id();
//!         // An error if the session ended before the answer. A cut connection alone is none: the client resumes.
//!         if client.call(&Ring {}).await.is_ok() && id == client.client_id() {
//!             // A handler's events come before its answer.
//!             assert!(client.take_events::<Rang>().iter().any(|rang| Some(rang.by) == id));
//!         }
//!     }
//! }
//!
//! let totals = Sim::seeds(20).clients(3).cuts(5).run(app, script);
//! println!("{totals}");
//! ```
//!
//! # A failure
//!
//! The simulator looks for the fewest faults with which the seed still fails, prints them, and panics. The message
//! begins with the command that repeats the run: `ZOCKET_SIM=42:0,3 cargo test --package bell every_ring_is_heard`. 42
//! is the seed, and 0 and 3 are the faults to keep. With `ZOCKET_SIM=42`, it has all faults, and is shrunk again.
//!
//! `ZOCKET_SIM_SEEDS=10000` runs more seeds than [`Sim::seeds`] says. The seeds run on all processors.
//!
//! # Repeatable apps
//!
//! A run takes the same course each time as long as the app is deterministic, too. So it awaits only tokio's timers and
//! channels, and no thread, socket or file. Its random numbers come from [`World::chance`], its time from
//! [`tokio::time::Instant`]. It does not act in the order of a `HashMap` or of client ids, which are random, or by
//! `tokio::select!` without `biased`. [`Totals::fingerprint`] shows it: it is equal for equal runs.
//!
//! # Real sockets
//!
//! [`Sim::soak`] runs an app and its clients over TCP on loopback for a given time, through a proxy that closes,
//! resets, half-closes, delays and swallows what it carries. The same rules are checked. The seed decides what the
//! proxy does, but the time is real, so no two runs are equal.
//!
//! # Resuming
//!
//! The clients offer to resume their sessions. If the app can resume them, as it does by default, all of the above
//! holds for a whole session: its connections may be cut, and no event and no answer is lost or repeated. A call then
//! fails only if the session ends: at a shutdown, or if its client stays away for too long, as some clients do. Then
//! [`SimClient::client_id`] changes, and the client is in no room.

mod app;
mod chance;
mod client;
mod failure;
mod fault;
mod hub;
mod model;
mod quiet;
mod run;
mod seeds;
mod settings;
mod shrink;
mod simulation;
mod soak;
mod totals;
mod world;

pub use self::{
    app::SimApp,
    chance::Chance,
    client::{SimCall, SimClient},
    simulation::Sim,
    totals::Totals,
    world::World,
};
