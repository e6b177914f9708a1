//! Rescue: turns any error or panic of a message into a refusal for its sender.
//!
//! Place [`RescueLayer`] inside of [`DecodeLayer`](crate::DecodeLayer) and outside of everything that may fail. It maps
//! errors by walking their sources, and catches panics. In an app, it also compares each refusal with those that the
//! message's route declares. One with other data, which clients do not know, becomes an internal error.
//!
//! ```
//! use std::time::Duration;
//! use tower::{BoxError, ServiceBuilder, ServiceExt, service_fn};
//! use zocket_layers::{Code, Connection, Message, Outcome, RawPayload, Reply, RescueLayer};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), BoxError> {
//! let slow = ServiceBuilder::new()
//!     .layer(RescueLayer::new())
//!     .timeout(Duration::from_millis(1))
//!     .service(service_fn(async |_: Message| {
//!         std::future::pending::<()>().await;
//!         Ok::<_, BoxError>(Reply::empty())
//!     }));
//! let message = Message::new(Connection::detached(()), "slow", RawPayload::absent());
//! let Outcome::Refused(error) = slow.oneshot(message).await? else { panic!("in time?") };
//! assert_eq!(error.code(), Code::TIMEOUT);
//! # Ok(()) }
//! ```

pub(crate) mod explain;
mod future;
mod layer;
mod service;
pub(crate) mod undeclared;

pub(crate) use self::explain::{Cause, refusal_for_waiter};
pub use self::{
    explain::{code_of, explain},
    future::RescueFuture,
    layer::RescueLayer,
    service::RescueService,
};
