//! The message pipeline of [Zocket](https://docs.rs/zocket), as tower layers: no socket, no HTTP server.
//!
//! In stack order, each usable alone:
//!
//! | stage | from | to |
//! |---|---|---|
//! | [`DecodeLayer`] | [`Frame`] | `Message`, and back: [`Outcome`] to the frame that answers |
//! | [`RescueLayer`] | any error, any panic | a refusal, which is sent to the client |
//! | [`FanoutLayer`] | effects recorded in the message | the [`Hub`] |
//! | [`ValidateLayer`] | `Message` | `Message<T>` |
//! | [`ContextLayer`] | `Message<T>` | `Message<T, Context<C>>` |
//! | [`middleware`] | `Context<C>` | `Context<D>`, or a refusal |
//! | [`handler_fn`] | `Context<D>`, `T` | [`Reply`] |
//!
//! Layers for apps, which a stack may have or not:
//!
//! | layer | purpose |
//! |---|---|
//! | [`TraceLayer`] | a span for each message, or for each call of a client |
//! | [`MetricsLayer`] | counts, latencies, sizes |
//! | [`AuthorizeLayer`] | refuses messages that a predicate does not allow |
//! | [`IdempotencyLayer`] | a message that is sent twice is handled once |
//! | [`AuditLayer`], [`AuditHub`] | report each effect, and the client that caused it |
//! | [`QuotaLayer`] | refuses messages above a rate |
//! | [`HttpLayer`] | applies a layer that was written for HTTP to one message |
//!
//! # Features
//!
//! Stages and layers need no feature, except those that bring a dependency along. None is on by default.
//!
//! | feature | adds | brings |
//! |---|---|---|
//! | `http` | [`HttpLayer`] | `http-body-util` |
//! | `metrics` | [`MetricsLayer`], and the metrics that stages report by themselves | `metrics` |
//!
//! # A whole stack by hand
//!
//! ```
//! use std::time::Duration;
//! use garde::Validate;
//! use schemars::JsonSchema;
//! use serde::Deserialize;
//! use tower::{BoxError, ServiceBuilder, ServiceExt};
//! use zocket_layers::{
//!     Connection, Context, ContextLayer, DecodeLayer, Error, FanoutLayer, Frame, RescueLayer, ValidateLayer,
//!     handler_fn,
//! };
//!
//! struct User { name: &'static str }
//!
//! #[derive(Deserialize, JsonSchema, Validate)]
//! struct Greet {
//!     #[garde(length(chars, min = 1))]
//!     greeting: String,
//! }
//!
//! async fn greet(cx: Context<User>, input: Greet) -> Result<String, Error> {
//!     Ok(format!("{}, {}", input.greeting, cx.name))
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), BoxError> {
//! let connection = Connection::detached(User { name: "Ann" });
//! let stack = ServiceBuilder::new()
//!     .layer(DecodeLayer::json())
//!     .layer(RescueLayer::new())
//!     .timeout(Duration::from_secs(1))
//!     .layer(FanoutLayer::new())
//!     .layer(ValidateLayer::<Greet>::new())
//!     .layer(ContextLayer::<User>::new())
//!     .service(handler_fn(greet));
//! let frame = Frame::new(connection, r#"{"type":"greet","payload":{"greeting":"hello"},"rpcId":1}"#);
//! let answer = stack.oneshot(frame).await?;
//! assert_eq!(answer.bytes(), Some(br#"{"type":"__rpc_res","payload":"hello, Ann","rpcId":1}"#.as_slice()));
//! # Ok(()) }
//! ```

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub mod audit;
pub mod authorize;
pub mod context;
pub mod decode;
pub mod fanout;
#[cfg(feature = "http")]
pub mod http;
pub mod hub;
pub mod idempotency;
#[doc(hidden)]
pub mod internal;
#[cfg(feature = "metrics")]
pub mod metrics;
pub mod middleware;
pub mod normalize;
pub mod protocol;
pub mod quota;
pub mod rescue;
pub mod service;
pub mod trace;
pub mod validate;

mod body;
mod broken;
mod client_id;
mod connection;
mod effect;
mod error;
#[cfg(all(test, zocket_loom))]
mod interleavings;
mod into_refusal;
mod limits;
mod message;
mod meter;
mod refusal;
mod sync;

pub use self::{
    audit::{Audit, AuditHub, AuditLayer, Audited},
    authorize::AuthorizeLayer,
    body::Body,
    client_id::ClientId,
    connection::{Clients, Connection, Declared, Emitter, SendBy, Sending},
    context::{ByMessage, Context, ContextLayer, ContextService, Rooms},
    decode::DecodeLayer,
    effect::{Action, Audience, Close, Delivery, Effect, Event, Except, Outgoing, RoomName, Target},
    error::{Code, Error, Issue, Segment},
    fanout::FanoutLayer,
    hub::{Hub, Mailbox, local::LocalHub},
    idempotency::IdempotencyLayer,
    into_refusal::IntoRefusal,
    limits::Limits,
    message::{
        Answer, BindEffects, Frame, FrameResponse, Incoming, InputIs, MalformedFrame, Message, Outcome,
        Parts, Reply,
    },
    middleware::Next,
    protocol::{Codec, DataFrame, Form, InvalidRpcId, Kind, Name, RawPayload, RpcId},
    quota::{Quota, QuotaLayer},
    refusal::{DataError, Refusal},
    rescue::RescueLayer,
    service::{Handler, HandlerFuture, HandlerService, handler_fn, stack},
    trace::TraceLayer,
    validate::{Checker, Input, ValidateLayer, ValidateService},
};

#[cfg(feature = "http")]
pub use self::http::HttpLayer;
#[cfg(feature = "metrics")]
pub use self::metrics::MetricsLayer;
