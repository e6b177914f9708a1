//! Fan-out: what a message does beyond its answer finds its way to the hub.
//!
//! Effects are noted in the message's outbox; [`FanoutLayer`] decides when they are performed. *Passing*, the
//! default, each at once, in order, so that a "typing…" goes out before the slow call after it. *Holding*, with
//! [`atomic`](FanoutLayer::atomic), all of them when the message has succeeded, and none when it has not.
//! Without this layer the outbox holds, and [`Reply::effects`](crate::Reply::effects) says what would have
//! happened.
//!
//! ```
//! use std::sync::Arc;
//! use tower::{BoxError, ServiceBuilder, ServiceExt};
//! use zocket_layers::{
//!     Connection, Context, ContextLayer, Error, FanoutLayer, Message, RawPayload, ValidateLayer, handler_fn,
//! };
//!
//! async fn enter(cx: Context<()>) -> Result<(), Error> {
//!     cx.rooms().join("lobby")?;
//!     Err(Error::conflict("changed my mind"))
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), BoxError> {
//! let connection = Connection::detached(());
//! let (hub, client) = (connection.hub().clone(), connection.client_id());
//! let stack = ServiceBuilder::new().layer(ValidateLayer::<()>::ignoring()).layer(ContextLayer::<()>::new());
//!
//! let passing = ServiceBuilder::new().layer(FanoutLayer::new()).layer(stack.clone()).service(handler_fn(enter));
//! let atomic = ServiceBuilder::new().layer(FanoutLayer::new().atomic()).layer(stack).service(handler_fn(enter));
//!
//! let message = || Message::new(connection.clone(), "enter", RawPayload::absent());
//! assert!(atomic.oneshot(message()).await.is_err());
//! assert!(!hub.has(&client, "lobby"));
//! assert!(passing.oneshot(message()).await.is_err());
//! assert!(hub.has(&client, "lobby"));
//! # Ok(()) }
//! ```

mod future;
mod layer;
mod service;

pub use self::{future::FanoutFuture, layer::FanoutLayer, service::FanoutService};
