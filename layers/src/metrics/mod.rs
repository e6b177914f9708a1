//! Metrics: counts, latencies and sizes of messages (feature `metrics`).
//!
//! [`MetricsLayer`] measures each message through the [`metrics`](https://docs.rs/metrics) facade. The app chooses the
//! recorder (Prometheus, StatsD, …). This is the whole set, with the metrics of the other stages and of the
//! connections:
//!
//! | name | kind | unit | labels | reported by |
//! |---|---|---|---|---|
//! | `zocket_messages_total` | counter | messages | `route`, `outcome` | [`MetricsLayer`] |
//! | `zocket_message_duration_seconds` | histogram | seconds | `route` | [`MetricsLayer`], from its call to the end |
//! | `zocket_message_payload_bytes` | histogram | bytes | `route` | [`MetricsLayer`]: the payload received |
//! | `zocket_message_answer_bytes` | histogram | bytes | `route` | [`MetricsLayer`]: the payload of the answer; none for a refusal |
//! | `zocket_messages_refused_total` | counter | messages | `code` | decode, rescue, the connection: all refusals, by the code that was sent to the client |
//! | `zocket_volatile_events_dropped_total` | counter | events | | [`Mailbox::absorb`](crate::Mailbox::absorb): volatile events that a client did not receive, because it was behind |
//! | `zocket_latest_events_replaced_total` | counter | events | | [`Mailbox::absorb`](crate::Mailbox::absorb): latest events that newer ones replaced, because their client was behind |
//! | `zocket_rooms` | gauge | rooms | | [`LocalHub`](crate::LocalHub): rooms with members |
//! | `zocket_connections` | gauge | connections | | the app: from a successful `on_connect` until `on_disconnect` has ended |
//! | `zocket_connections_total` | counter | connections | | the app: successful `on_connect`s |
//! | `zocket_connections_cut_total` | counter | connections | | the app: those that a shutdown left at the end of its grace period |
//! | `zocket_handshakes_refused_total` | counter | handshakes | `status`, `code` | the app, and its layers around the upgrade: refused requests, by HTTP status and code; `BAD_HANDSHAKE` for a request that opens no WebSocket |
//! | `zocket_queued_messages` | gauge | messages | | connections: read and not yet begun |
//! | `zocket_in_flight_messages` | gauge | messages | | connections: being handled |
//! | `zocket_outbound_bytes` | gauge | bytes | | connections: waiting to be written |
//! | `zocket_record_bytes` | gauge | bytes | | sessions that can be resumed: written, and kept until it is acknowledged |
//! | `zocket_records_given_up_total` | counter | records | | sessions that can be resumed: records over a limit |
//! | `zocket_parked_sessions` | gauge | sessions | | sessions that wait for their clients |
//! | `zocket_sessions_resumed_total` | counter | sessions | | sessions whose clients came back |
//! | `zocket_sessions_not_resumed_total` | counter | handshakes | `reason` | the app: clients with a valid token that got no session back. `record`: the session had lost what the client lacks, or has ended. `client`: other headers, or `on_resume` declined |
//! | `zocket_cluster_events_total` | counter | events | `outcome` | nodes that share rooms: `published` to other nodes, `received` from them; `lost`: another node's event that did not arrive; `skipped`: not published, since the engine was away for too long; `undelivered`: received, and refused by a full room |
//! | `zocket_cluster_problems_total` | counter | problems | `problem` | nodes that share rooms: `engine` refused a request, `unreadable` message of another node, `strangers`: messages of nodes beyond those that can be known, `unanswered` barriers of joins, by node, `alone`: joins without the other nodes |
//! | `zocket_cluster_nodes` | gauge | nodes | | nodes that share rooms: other nodes that were heard in the last 5 s |
//! | `zocket_client_calls_total` | counter | calls | `route`, `outcome` | [`MetricsLayer::calls`]: calls of a Rust client |
//! | `zocket_client_call_duration_seconds` | histogram | seconds | `route` | [`MetricsLayer::calls`], from the call to its end |
//!
//! `outcome` is `ok`, the code of the refusal, or `dropped` for a message whose future an outer layer dropped. The
//! histograms have no `outcome`, which would multiply their series. The gauges of queues are updated when a connection
//! has nothing left to do but wait, so that messages that pass through at once cost nothing.
//!
//! **Labels are bounded.** `route` is a route that a router of the app declares, or one added by
//! [`MetricsLayer::routes`]. A message with any other route is counted as `unknown`.
//!
//! Of a client's calls, `route` is the type of the message. `outcome` is one that [`trace`](crate::trace#calls-of-a-client)
//! lists. Codes are those of the protocol, and those added by [`MetricsCallsLayer::codes`]. Any other refusal is counted
//! as `refused`.
//!
//! Place it at the outside of the stack, `Zocket::builder().layer(MetricsLayer::new())`, where it receives each message
//! that could be decoded. [`Router::layer`] works too, for a module's routes alone. The layer measures raw messages, so
//! the sizes are those of encoded payloads.
//!
//! Install the recorder before the app is built. Gauges are reported as increments and decrements: configure the
//! recorder not to expire them (an idle timeout for counters and histograms does no harm).
//!
//! [`Router::layer`]: https://docs.rs/zocket/latest/zocket/struct.Router.html#method.layer
//!
//! ```
//! use tower::{BoxError, ServiceBuilder, ServiceExt, service_fn};
//! use zocket_layers::{Connection, Message, MetricsLayer, RawPayload, Reply};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), BoxError> {
//! let measured = ServiceBuilder::new()
//!     // An app's routes are known; of a stack made by hand they have to be named.
//!     .layer(MetricsLayer::new().routes(["chat.post"]))
//!     .service(service_fn(async |_: Message| Ok::<_, BoxError>(Reply::empty())));
//! measured.oneshot(Message::new(Connection::detached(()), "chat.post", RawPayload::absent())).await?;
//! # Ok(()) }
//! ```

mod cache;
mod calls;
mod describe;
mod handles;
mod layer;
mod service;

pub use self::{
    calls::{MetricsCallsLayer, MetricsCallsObserver, MetricsCallsService},
    describe::describe,
    layer::MetricsLayer,
    service::{MetricsObserver, MetricsService},
};
