//! Trace: a span for each message.
//!
//! [`TraceLayer`] runs the rest of the stack, the handler's own events included, in a [`tracing`] span `message`.
//! Its fields:
//!
//! | field | value |
//! |---|---|
//! | `route` | the route of the message, at most 100 characters of it |
//! | `client` | the client's id |
//! | `rpc_id` | the id that the answer will have; absent if the client expects none |
//! | `outcome` | at the end: `ok`, the code of the refusal, or `dropped` for a message whose future an outer layer dropped |
//! | `latency` | at the end: the time since the layer was called, such as `1.5ms` |
//!
//! Neither the payload nor the answer is recorded.
//!
//! Place it at the outside of the stack, `Zocket::builder().layer(TraceLayer::new())`, before any other layer, so that
//! their log events are in the span as well. It works at any other position too, raw or typed. Inside of a timeout,
//! messages that are too slow end as `dropped`. Subscribers show the fields that are recorded at the end when the span
//! closes: `tracing-subscriber`'s `fmt` with `with_span_events(FmtSpan::CLOSE)`.
//!
//! ```
//! use tower::{BoxError, ServiceBuilder, ServiceExt, service_fn};
//! use zocket_layers::{Connection, Message, RawPayload, Reply, TraceLayer};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), BoxError> {
//! let traced = ServiceBuilder::new().layer(TraceLayer::new()).service(service_fn(async |_: Message| {
//!     tracing::info!("in the span of the message");
//!     Ok::<_, BoxError>(Reply::empty())
//! }));
//! traced.oneshot(Message::new(Connection::detached(()), "chat.post", RawPayload::absent())).await?;
//! # Ok(()) }
//! ```

mod layer;
mod service;

pub use self::{
    layer::TraceLayer,
    service::{TraceObserver, TraceService},
};
