//! Rooms that span several nodes, over [NATS](https://nats.io) (feature `nats`).
//!
//! A *node* is one process of an app. By default, the rooms and clients of an app are those of its own process. With a
//! [`NatsHub`], all nodes that are connected to the same NATS server or cluster share them. Handlers, clients and tests stay as
//! they are.
//!
//! ```no_run
//! use zocket::{
//!     Zocket,
//!     cluster::{NatsHub, NatsOptions},
//! };
//!
//! # async fn example() -> Result<(), zocket::cluster::ConnectError> {
//! let hub = NatsHub::connect("nats://127.0.0.1:4222", NatsOptions::default().prefix("shop")).await?;
//! let zo = Zocket::builder().hub(hub).build();
//! # drop(zo); Ok(()) }
//! ```
//!
//! | | spans all nodes |
//! |---|---|
//! | `cx.send(..)` and emitters: to rooms, to clients, to everyone | yes |
//! | `cx.rooms().members(..)` | yes, without the nodes that have not answered within a second. [`Hub::clients`](crate::Hub::clients) of `cx.emitter().hub()` names those |
//! | `cx.rooms().size(..)` | yes. It asks nobody: the number on this node is exact, and those on other nodes were exact about 2 seconds ago or later. [`Hub::size`](crate::Hub::size) names the nodes that are not counted: all others while NATS is away, and a node until it has told its sizes, soon after its start |
//! | joining, leaving and disconnecting other clients | yes |
//! | `cx.rooms().join(..)`, `leave(..)`, `has(..)`, `current()` | they concern the client itself, which is on one node |
//! | [`Zocket::connections`](crate::Zocket::connections), `contexts`, limits | no: each node counts its own |
//! | resuming a session | no: a client has to come back to its node. On another node it begins a new session |
//!
//! # Guarantees
//!
//! | | |
//! |---|---|
//! | delivery on the sender's own node | as without NATS: at once, without a round trip, even while NATS is away |
//! | delivery on other nodes | at most once |
//! | order | the events of one sender to one room arrive in the order in which they were sent. Across rooms, this holds with a single NATS server, and not with a cluster |
//! | a join | is answered once the events that any node sends from then on arrive here |
//! | a loss | is counted, logged, and given to [`NatsOptions::on_loss`], with the room and the number of events, at most about a second after the nodes are connected again |
//! | a send | never waits for NATS. If too much waits, it fails with OVERLOADED, and nobody receives the event |
//! | `cx.flush().await` | waits until NATS has taken what was sent before |
//!
//! | if | then |
//! |---|---|
//! | NATS is away | Delivery within each node goes on. NATS's client keeps some thousands of messages for its return, and further ones are lost. A join is answered at once, and counted (`zocket_cluster_problems_total`, `alone`) |
//! | a server of a NATS cluster fails | its nodes connect to another server of the cluster by themselves. Some events may be lost meanwhile |
//! | a node ends | the others forget it at once if its hub is dropped, and after 5 seconds otherwise. Until then, its clients count, and a query for members waits for it for a second and names it as missing |
//! | a node does not answer a join of another one | the join is answered after 2 seconds |
//! | nodes have different versions | a node ignores, and counts, messages of a version that it does not know |
//!
//! # Layers around NATS
//!
//! NATS is a tower service of [`EngineRequest`]s. [`NatsOptions::layer`] puts tower's layers around it, such as a timeout:
//!
//! ```
//! use std::time::Duration;
//! use tower::timeout::TimeoutLayer;
//! use zocket::cluster::NatsOptions;
//!
//! let options = NatsOptions::default().layer(TimeoutLayer::new(Duration::from_millis(200)));
//! # drop(options);
//! ```

mod barrier;
mod engine;
mod hub;
mod interest;
mod meter;
mod nats;
mod nodes;
mod note;
mod numbers;
mod options;
mod queries;
mod queue;
mod receiver;
mod sender;
mod sizes;
mod subject;
mod watcher;
mod wire;

pub use self::{
    engine::{BoxEngine, EngineRequest},
    hub::NatsHub,
    nats::ConnectError,
    options::{Loss, NatsOptions},
};
