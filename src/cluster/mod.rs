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
//! | `cx.rooms().members(..)` | yes, without the nodes that have not answered within a second, or have more than 1,048,576 of the members. [`Hub::clients`](crate::Hub::clients) of `cx.emitter().hub()` names those |
//! | `cx.rooms().size(..)` | yes. It asks nobody: the number on this node is exact, and those on other nodes were exact about 2 seconds ago or later. [`Hub::size`](crate::Hub::size) names the nodes that are not counted: all others while NATS is away, and a node until it has told its sizes, soon after its start |
//! | joining, leaving and disconnecting other clients | yes, any number at once. A list of exceptions is refused with PAYLOAD_TOO_LARGE beyond NATS's `max_payload` |
//! | `cx.rooms().join(..)`, `leave(..)`, `has(..)`, `current()` | they concern the client itself, which is on one node |
//! | [`Zocket::connections`](crate::Zocket::connections), `contexts`, limits | no: each node counts its own |
//! | resuming a session | no: a client has to come back to its node. On another node it begins a new session, and its old one ends before: `on_disconnect` receives [`Reason::Moved`](crate::Reason::Moved). [`deploying`](crate::guide::deploying#more-than-one-process) has the conditions |
//!
//! # Guarantees
//!
//! | | |
//! |---|---|
//! | delivery on the sender's own node | as without NATS: at once, without a round trip, even while NATS is away |
//! | delivery on other nodes | at most once |
//! | order | the events of one sender to one room arrive in the order in which they were sent. Across rooms, and with events to several rooms, no order is promised: a node receives the events of each room as a stream of its own |
//! | a join | is answered once the events that any node sends from then on arrive here |
//! | a loss of events | is counted, logged, and given to [`NatsOptions::on_loss`], with the recipients and the number of events, about two seconds after the nodes are connected again, also if only NATS's servers were apart. Each event is delivered or counted, not both. Losses before the first event of a node are not noticed, unless it has answered the room's first join |
//! | a send | never waits for NATS. If too much waits, it fails with OVERLOADED, and nobody receives the event |
//! | `cx.flush().await` | waits until NATS has taken what was sent before |
//!
//! | if | then |
//! |---|---|
//! | NATS is away | Delivery within each node goes on. NATS's client keeps some thousands of messages for its return, and further ones are lost. A join is answered at once, and counted (`zocket_cluster_problems_total`, `alone`) |
//! | NATS is silent, as behind a network that fails | The node notices it within 4.5 seconds. Until then, events wait, and a join is answered after 5 seconds at most. Then it is as if NATS were away |
//! | NATS is slow | Sends fail with OVERLOADED when too much waits. A message that NATS does not accept within 5 seconds is lost |
//! | NATS accepts no more connections | [`NatsHub::connect`] fails with the reason, or after 5 seconds if NATS does not answer. Nodes that are connected go on |
//! | a server of a NATS cluster fails | its nodes connect to another server of the cluster by themselves. Some events may be lost meanwhile |
//! | a node reads too slowly | NATS slows down the nodes that send to it, and then closes its connection. It connects again, and the loss is counted |
//! | a node is cut off | Delivery on it goes on. The others forget it after 5 seconds. When it comes back, all agree on the members again, and what was lost on both sides is counted, unless it was away for more than 10 minutes |
//! | a node ends | the others forget it at once if it [leaves](NatsHub::leave), and after 5 seconds otherwise. Until then, its clients count, and a query for members waits for it for a second and names it as missing |
//! | a node does not answer a join of another one | the join is answered after 2 seconds |
//! | nodes have different versions | a node ignores, and counts, messages of a version that it does not know |
//! | more than 1,024 nodes are there | A node ignores, and counts, the messages of further ones (`strangers`) |
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
mod beats;
mod connect_error;
mod emit;
mod engine;
mod hub;
mod interest;
mod lines;
mod membership;
mod meter;
mod nats;
mod node_tag;
mod nodes;
mod note;
mod numbers;
mod once;
mod options;
mod queries;
mod questions;
mod queue;
mod receiver;
mod sender;
mod sizes;
mod split;
mod start;
mod subject;
mod watcher;
mod wire;

#[doc(hidden)]
pub use self::engine::EngineEvent;
pub use self::{
    connect_error::ConnectError,
    engine::{BoxEngine, EngineRequest},
    hub::NatsHub,
    options::{Loss, NatsOptions, Recipients},
};
