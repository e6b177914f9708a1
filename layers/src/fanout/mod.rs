//! Fan-out: passes the effects of a message to the hub.
//!
//! Effects are recorded in the message's state. [`FanoutLayer`] decides when they are performed. *Passing*, the
//! default, performs each at once and in order, so that a "typing…" is sent before the slow call after it. *Holding*,
//! with [`atomic`](FanoutLayer::atomic), performs all of them when the message has succeeded, and none when it has not.
//! Without this layer the state holds them, and [`Reply::effects`](crate::Reply::effects) lists the effects that were
//! not performed.
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
