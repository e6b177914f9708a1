//! Typed WebSocket messages for Rust servers, as a tower middleware stack.
//!
//! - [`Zocket`] is an app: its lifecycle callbacks, its limits, its hub. [`Zocket::message`] begins a
//!   [`ProcedureBuilder`], [`Zocket::router`] a [`Router`]. [`Zocket::serve`] makes an [`UpgradeService`], a
//!   `tower::Service` of HTTP requests for axum, hyper, and tower-http's layers.
//! - Handlers receive a [`Context`]: the client's id, its [`Rooms`], methods to send, and the app's own value.
//! - With the feature `client`, `zocket::client` is a client of such servers, for services, bots and tests.
//! - [`layers`] has the stages of the pipeline, for stacks composed by hand.
//! - [`guide`] explains common tasks, such as where to put [middleware](guide::middleware).
//!
//! # Features
//!
//! None is on by default.
//!
//! | feature | adds |
//! |---|---|
//! | `metrics` | `MetricsLayer`, and metrics of connections, queues and rooms, by the facade `metrics` |
//! | `http2` | WebSockets over HTTP/2 (RFC 8441) |
//! | `client` | `zocket::client`, for `ws://` |
//! | `client-rustls` | the same for `wss://` too: rustls, ring, the operating system's roots |
//! | `testing` | `zocket::testing`, a whole app in memory, and a simulator |
//!
//! # Example
//!
//! ```
//! use garde::Validate;
//! use schemars::JsonSchema;
//! use serde::{Deserialize, Serialize};
//! use tower::ServiceExt;
//! use zocket::{ClientId, Connection, Context, Error, Message, NoHeaders, Outgoing, RawPayload, Zocket};
//!
//! #[derive(Deserialize, JsonSchema, Validate)]
//! struct Post {
//!     #[garde(length(chars, min = 1, max = 500))]
//!     text: String,
//! }
//!
//! #[derive(Serialize, JsonSchema)]
//! struct Said {
//!     text: String,
//! }
//!
//! impl Outgoing for Said {
//!     const TYPE: &'static str = "chat.message";
//! }
//!
//! struct User {}
//!
//! async fn post(cx: Context<User>, input: Post) -> Result<usize, Error> {
//!     let length = input.text.len();
//!     cx.send(Said { text: input.text }).to_room("lobby");
//!     Ok(length)
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), tower::BoxError> {
//! let zo = Zocket::builder().on_connect(async |_: NoHeaders, _: ClientId| Ok(User {})).build();
//! let post = zo.message().handle(post);
//!
//! // A procedure is a service: it runs without a socket, and its reply holds the effects.
//! let payload = RawPayload::json(r#"{"text":"hi"}"#);
//! let reply = post.clone().oneshot(Message::new(Connection::detached(User {}), "chat.post", payload)).await?;
//! assert_eq!(reply.answer.as_json(), b"2");
//! assert_eq!(reply.effects.len(), 1);
//!
//! let service = zo.serve(zo.router().outgoing::<Said>().incoming("chat.post", post));
//! let app = axum::Router::<()>::new().route_service("/ws", service);
//! # drop(app); Ok(()) }
//! ```

#![cfg_attr(docsrs, feature(doc_cfg))]

// With the feature of all its examples, since READMEs are viewed with every line that rustdoc would hide.
#[cfg(all(doctest, feature = "client"))]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "nats")]
pub mod cluster;
pub mod contract;
pub mod guide;

pub mod server;
#[cfg(feature = "testing")]
pub mod testing;

mod app;
mod connection;
mod core;
#[cfg(test)]
mod document_tests;
mod on_connect;
mod on_disconnect;
mod on_resume;
mod procedure;
mod router;
mod upgrade;

pub use zocket_layers::{
    self as layers, Body, ClientId, Clients, Close, Code, Connection, Context, DataError, Delivery, Emitter,
    Error, Event, Hub, Incoming, Input, InputIs, Issue, Limits, LocalHub, Message, Next, Outgoing,
    RawPayload, Refusal, Reply, Rooms, Segment, Target, middleware::from_fn,
};

pub use self::{
    app::{Builder, Zocket},
    contract::Contract,
    core::{AppLimits, Reason, Shutdown},
    on_connect::{NoHeaders, OnConnect, OnConnectWith},
    on_disconnect::OnDisconnect,
    procedure::{
        Declared, InputOf, Procedure, ProcedureBuilder, ProcedureFuture, Takes, Undeclared, Validated, With,
        WithInput,
    },
    router::{AnswerIs, Route, Router, RouterError, RouterService},
    upgrade::{
        HandshakeFuture, ServeError, StackError, UpgradeFuture, UpgradeService, address,
        origin::{self, OriginLayer, Origins},
    },
};
