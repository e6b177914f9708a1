//! A client, for services, bots and tests: typed calls and events over a connection that comes back by itself.
//!
//! ```no_run
//! use futures_util::StreamExt;
//! use schemars::JsonSchema;
//! use serde::{Deserialize, Serialize};
//! use zocket::{Outgoing, client::Client};
//!
//! #[derive(Serialize)]
//! struct Headers { name: String }
//! #[derive(Serialize)]
//! struct Post { text: String }
//! // The very type that the server sends, with `Deserialize`.
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
//! One task holds it. It offers the subprotocol `zocket.v1.json` and counts as open when the server's welcome has
//! come; [`Client::status`] and [`Client::statuses`] tell how it stands. What ends it is an [`Outage`]:
//!
//! | outage | then |
//! |---|---|
//! | the socket breaks, a time-out, silence; every close code not named here, 1000 and 1009 among them | it comes back |
//! | close codes 3500 to 3999; 1008, unless its reason is OVERLOADED, TIMEOUT, TOO_MANY_REQUESTS or INTERNAL_SERVER_ERROR | final |
//! | close codes 4000 to 4999, the app's: it meant to throw this client out | final, unless [`Builder::come_back_on`] says otherwise |
//! | HTTP 408, 429 and 5xx at the handshake; `Retry-After`, in seconds, is respected | it comes back |
//! | any other HTTP status: 400, 401, 403, 404, a redirection | final, with the body as its [`Refusal`] |
//! | the server speaks another protocol; the URL or the headers are unusable | final |
//! | [`Builder::headers_with`] failed | it comes back |
//!
//! Before it comes back it waits for a random time between the floor and `floor · 2ⁿ`, at most the cap, where `n` is
//! the number of attempts since a connection last proved itself by lasting (see [`Builder::proven_after`]). The
//! headers are made anew at each attempt.
//!
//! Events that the server sends while there is no connection are lost; [`Client::statuses`] says when to ask anew.
//!
//! # Bounds
//!
//! Calls that are queued or unanswered: [`Builder::max_calls`]; a further one waits for its turn. Events that no one
//! has taken yet: [`Builder::event_buffer`] for each stream; the oldest give way, and [`EventError::Lagged`] says how
//! many. Everything ends when the last [`Client`] is closed or dropped: streams, too, hold nothing open.

mod backoff;
mod builder;
mod call;
mod config;
pub(crate) mod dial;
mod driver;
mod error;
mod events;
mod handle;
pub(crate) mod headers;
mod heartbeat;
mod inbox;
mod outage;
mod refusal;
mod session;
mod socket;
mod status;
#[cfg(feature = "client-rustls")]
mod tls;
pub(crate) mod wire;

pub use self::{
    builder::Builder,
    call::CallOptions,
    error::{BuildError, CallError, Sent},
    events::{EventError, Events},
    handle::Client,
    outage::Outage,
    refusal::{Refusal, Unanswered},
    status::{Status, Welcome},
};
