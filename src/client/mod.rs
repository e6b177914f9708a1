//! A client, for services, bots and tests: typed calls and events over a connection that reconnects by itself.
//!
//! ```no_run
//! use schemars::JsonSchema;
//! use serde::{Deserialize, Serialize};
//! use zocket::{Incoming, Outgoing, client::Client};
//!
//! #[derive(Serialize)]
//! struct Headers { name: String }
//! // The messages that the server receives and sends. One crate can have them for both sides.
//! #[derive(Serialize)]
//! struct Post { text: String }
//! impl Incoming for Post { const TYPE: &'static str = "chat.post"; type Answer = Posted; }
//! #[derive(Deserialize)]
//! struct Posted { id: u64 }
//! #[derive(Serialize, Deserialize, JsonSchema)]
//! struct Said { text: String, from: String }
//! impl Outgoing for Said { const TYPE: &'static str = "chat.message"; }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::builder("ws://127.0.0.1:3000/ws")
//!     .headers(&Headers { name: "bot".into() })?
//!     .connect()
//!     .await?;
//! let mut said = client.on::<Said>();
//! let posted = client.call(&Post { text: "hi".into() }).await?;
//! println!("message {}", posted.id);
//! if let Some(said) = said.next().await {
//!     println!("{}", said?.text);
//! }
//! client.close().await;
//! # Ok(()) }
//! ```
//!
//! # Calls
//!
//! | | waits for the answer | requests no answer |
//! |---|---|---|
//! | by a message's type | [`call`](Client::call), [`call_with`](Client::call_with) | [`send`](Client::send) |
//! | by a route's name | [`call_route`](Client::call_route), [`call_route_with`](Client::call_route_with) | [`send_route`](Client::send_route) |
//!
//! A type's [`Incoming::Answer`](crate::Incoming::Answer) is the type of the answer. By name, the caller chooses it:
//! `client.call_route::<Posted>("chat.post", &post)`. A call fails with a [`CallError`]. The data of a refusal has the type
//! of its code, and [`CallError::data`] reads it. A failure of a message without an answer arrives in
//! [`Client::errors`], and [`SendFailure::data`] reads its data.
//!
//! # The connection
//!
//! One task owns the connection. It offers the subprotocol `zocket.v1.json`, `zocket.flow`, and `zocket.resume`. The
//! connection counts as open once the server's welcome has arrived. [`Client::status`] and [`Client::statuses`] report
//! its state. An [`Outage`] is the reason why an attempt failed or a connection ended:
//!
//! | outage | then |
//! |---|---|
//! | the socket breaks, a time-out, silence; every close code not named here, 1000 and 1009 among them | reconnects |
//! | close codes 3500 to 3999, except 3501 if the session can be resumed; 1008, unless its reason is OVERLOADED, TIMEOUT, TOO_MANY_REQUESTS or INTERNAL_SERVER_ERROR | final |
//! | close codes 4000 to 4999: the app disconnected this client on purpose | final, unless in [`Builder::reconnect_on`] |
//! | HTTP 408, 429 and 5xx at the handshake; `Retry-After`, in seconds, is respected | reconnects |
//! | any other HTTP status: 400, 401, 403, 404, a redirection | final, with the body as its [`ServerRefusal`], and the [`issues`](Outage::issues) of the headers |
//! | HTTP 401, and the headers are made by [`Builder::headers_with`] | one more attempt, then final |
//! | the server speaks another protocol; the URL or the headers are unusable | final |
//! | [`Builder::headers_with`] failed | reconnects |
//!
//! Before it reconnects, the client waits for a random time between the floor and `floor · 2ⁿ`, at most the cap. `n` is
//! the number of attempts since a connection last proved itself by lasting (see [`Builder::proven_after`]). The close
//! code makes no difference: after a 1001, a server's whole set of clients comes back within `floor · 2`, so raise the
//! bounds by [`Builder::backoff`] where that is many. The headers are made again for each attempt. A 401 permits one
//! more attempt after each connection.
//!
//! If the server sends no frame for some time, or if a call has timed out, the client sends a `__ping`. Without an
//! answer the connection has ended ([`Outage::Silent`]): see [`Builder::ping`].
//!
//! # Resumption
//!
//! A break of the connection does not end the client's session. The server keeps it for 30 s (`Limits::resume_within`)
//! with its id, its rooms, its calls and the events sent to it, and the client resumes it, also after
//! [`Client::reconnect`]. Each event of the default delivery, each answer and each message arrives once and in order. A
//! call that the server has received goes on while the client is away. One that it has not received is sent again,
//! unless its caller has given it up.
//!
//! The session ends with [`Client::close`], which fails its calls with [`CallError::Closed`]. It also ends with a Close
//! of the server, and if the client comes back too late, to another server, or with other headers. Then the calls that
//! were sent fail with [`CallError::Disconnected`]:
//!
//! | [`Sent`] | meaning |
//! |---|---|
//! | `No` | the server has not begun the call: it was never sent, or the server closed the connection and acknowledged only what came before it. It may be repeated |
//! | `Unknown` | the server may have handled it |
//!
//! A new session has missed the events since the last connection, and is in no room. The function of
//! [`Builder::on_open`] runs after each connection and reconnection, before the calls that wait for the connection are
//! sent. It receives [`Opened::resumed`] and [`Opened::lost`], so that the program can join its rooms and fetch the
//! current state again.
//!
//! ```no_run
//! # use serde::Serialize;
//! use zocket::{Incoming, client::Client};
//!
//! #[derive(Serialize)]
//! struct Join { room: &'static str }
//! impl Incoming for Join { const TYPE: &'static str = "rooms.join"; type Answer = (); }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::builder("ws://127.0.0.1:3000/ws")
//!     .on_open(async |client, opened| {
//!         if !opened.resumed {
//!             // A new session: it is in no room yet, and events may have been missed.
//!             let _ = client.call(&Join { room: "lobby" }).await;
//!         }
//!     })
//!     .connect()
//!     .await?;
//! assert!(!client.resumed(), "this is the first connection");
//! # Ok(()) }
//! ```
//!
//! `.resume(false)` ([`Builder::resume`]) turns this off. Then a break fails the calls that were sent or wait to be
//! sent, and events that the server sends while there is no connection are lost.
//!
//! # tower
//!
//! [`Client::service`] returns a tower service for the messages of one type, around which tower's middleware fits: see
//! [`CallService`], and the guide's page on [middleware](crate::guide::middleware#around-a-clients-calls).
//!
//! # Bounds
//!
//! While half of the session's record (the welcome's `limits.record`) is sent and not acknowledged, messages wait.
//! [`Builder::max_calls`] limits the calls that are queued or unanswered. A further one waits for its turn. The
//! server's welcome limits the calls that are unanswered (`limits.calls`). Further calls are held back, in their order,
//! as are the messages behind them. [`Builder::event_buffer`] limits the unread events of each stream. Beyond that, the
//! oldest are dropped, and [`EventError::Lagged`] holds their number. The task and all streams end when a [`Client`] is
//! closed or the last one is dropped. A stream does not keep the connection open.

mod acks;
mod backoff;
mod builder;
mod call;
mod commands;
mod config;
mod connection;
pub(crate) mod dial;
mod driver;
mod error;
mod events;
mod failure;
mod handle;
pub(crate) mod headers;
mod heartbeat;
mod inbox;
mod issues;
mod opened;
mod opener;
mod outage;
mod record;
mod server_refusal;
mod service;
mod session;
mod socket;
mod spawn;
mod status;
mod statuses;
#[cfg(feature = "client-rustls")]
mod tls;
mod token;
mod unanswered;
pub(crate) mod wire;

#[cfg(feature = "client-rustls")]
pub use rustls;

pub use self::{
    builder::Builder,
    call::CallOptions,
    error::{BuildError, CallError, Sent},
    events::{EventError, Events},
    handle::Client,
    opened::{LostSession, Opened},
    outage::Outage,
    server_refusal::{SendFailure, ServerRefusal},
    service::{CallFuture, CallService},
    status::{Status, Welcome},
    statuses::Statuses,
};
