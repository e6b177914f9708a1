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
//!
//! # Calls of a client
//!
//! [`TraceLayer::calls`] is the form for the Rust client's services. Each call has a span `call` with the fields `route`,
//! `outcome` and `latency`. Its `outcome` is one of these:
//!
//! | outcome | the call |
//! |---|---|
//! | `ok` | was answered |
//! | a code such as `CONFLICT` | was refused, by the server or by a middleware that fails with an [`Error`](crate::Error); at most 100 characters of it |
//! | `timeout` | had no answer in time, by the client's limit or by tower's `timeout` |
//! | `disconnected`, `closed` | failed because there is no connection, or no client any more |
//! | `too_large`, `encode` | was not sent: its message is too large, or is no JSON |
//! | `decode` | was answered by a value of another type |
//! | `shed` | was shed by tower's `load_shed` |
//! | `failed` | failed with an error of another middleware |
//! | `dropped`, `panicked` | has no result, since its future was dropped or panicked |

/// Creates a span at a level that is known at run time. The level is part of a span's static metadata, so each level
/// needs a call site of its own.
macro_rules! span_at {
    ($level:expr, $($span:tt)*) => {
        match $level {
            tracing::Level::ERROR => span_at!(@site ERROR, $($span)*),
            tracing::Level::WARN => span_at!(@site WARN, $($span)*),
            tracing::Level::INFO => span_at!(@site INFO, $($span)*),
            tracing::Level::DEBUG => span_at!(@site DEBUG, $($span)*),
            _ => span_at!(@site TRACE, $($span)*),
        }
    };
    (@site $level:ident, $($span:tt)*) => {
        tracing::span!(target: "zocket_layers::trace", tracing::Level::$level, $($span)*)
    };
}

mod calls;
mod layer;
mod service;

pub use self::{
    calls::{TraceCallsLayer, TraceCallsObserver, TraceCallsService},
    layer::TraceLayer,
    service::{TraceObserver, TraceService},
};
