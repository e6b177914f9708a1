//! A client, for services, bots and tests: typed calls and events over a connection that reconnects by itself.
//!
//! ```no_run
//! use schemars::JsonSchema;
//! use serde::{Deserialize, Serialize};
//! use zocket::{Outgoing, client::Client};
//!
//! #[derive(Serialize)]
//! struct Headers { name: String }
//! #[derive(Serialize)]
//! struct Post { text: String }
//! // The type that the server sends, with `Deserialize`.
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
//! let () = client.call("chat.post", &Post { text: "hi".into() }).await?;
//! if let Some(said) = said.next().await {
//!     println!("{}", said?.text);
//! }
//! client.close().await;
//! # Ok(()) }
//! ```
//!
//! # The connection
//!
//! One task owns the connection. It offers the subprotocol `zocket.v1.json`, and `zocket.flow`. The connection counts as
//! open once the server's welcome has arrived. [`Client::status`] and [`Client::statuses`] report its state. An
//! [`Outage`] is the reason why an attempt failed or a connection ended:
//!
//! | outage | then |
//! |---|---|
//! | the socket breaks, a time-out, silence; every close code not named here, 1000 and 1009 among them | reconnects |
//! | close codes 3500 to 3999; 1008, unless its reason is OVERLOADED, TIMEOUT, TOO_MANY_REQUESTS or INTERNAL_SERVER_ERROR | final |
//! | close codes 4000 to 4999: the app disconnected this client on purpose | final, unless in [`Builder::reconnect_on`] |
//! | HTTP 408, 429 and 5xx at the handshake; `Retry-After`, in seconds, is respected | reconnects |
//! | any other HTTP status: 400, 401, 403, 404, a redirection | final, with the body as its [`ServerRefusal`] |
//! | HTTP 401, and the headers are made by [`Builder::headers_with`] | one more attempt, then final |
//! | the server speaks another protocol; the URL or the headers are unusable | final |
//! | [`Builder::headers_with`] failed | reconnects |
//!
//! Before it reconnects, the client waits for a random time between the floor and `floor · 2ⁿ`, at most the cap. `n` is
//! the number of attempts since a connection last proved itself by lasting (see [`Builder::proven_after`]). The close
//! code makes no difference: after a 1001, a server's whole set of clients comes back within `floor · 2`, so raise the
//! bounds by [`Builder::backoff`] where that is many. The headers are made again for each attempt.
//!
//! Events that the server sends while there is no connection are lost, and a new connection is in no room.
//! [`Builder::on_open`] runs after each connection, before the calls that wait for it, so that the program can join its
//! rooms and ask for the current state again.
//!
//! # Bounds
//!
//! [`Builder::max_calls`] limits the calls that are queued or unanswered. A further one waits for its turn. The server's
//! welcome limits the calls that are unanswered (`limits.calls`). Further calls are held back, in their order, as are the
//! messages behind them.
//! [`Builder::event_buffer`] limits the unread events of each stream. Beyond that, the oldest are dropped, and
//! [`EventError::Lagged`] holds their number. The task and all streams end when a [`Client`] is closed or the last one
//! is dropped. A stream does not keep the connection open.

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
mod handle;
pub(crate) mod headers;
mod heartbeat;
mod inbox;
mod opened;
mod opener;
mod outage;
mod record;
mod server_refusal;
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
    status::{Status, Welcome},
    statuses::Statuses,
};
