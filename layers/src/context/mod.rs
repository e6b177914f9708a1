//! Context: the data of a handler beside its input, and the stage that adds it to a message.
//!
//! [`ContextLayer`] reads the value that `on_connect` made, which the [`Connection`](crate::Connection) keeps, and
//! turns a `Message<T>` into a `Message<T, Context<C>>`.
//!
//! ```
//! use tower::{BoxError, ServiceBuilder, ServiceExt, service_fn};
//! use zocket_layers::{Connection, Context, ContextLayer, Message, RawPayload, Reply};
//!
//! struct User { name: &'static str }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), BoxError> {
//! let whoami = ServiceBuilder::new().layer(ContextLayer::<User>::new()).service(service_fn(
//!     async |message: Message<RawPayload, Context<User>>| {
//!         Ok::<_, BoxError>(Reply::of(&message.context().name)?)
//!     },
//! ));
//! let connection = Connection::detached(User { name: "Ann" });
//! let reply = whoami.oneshot(Message::new(connection, "whoami", RawPayload::absent())).await?;
//! assert_eq!(reply.answer.as_json(), b"\"Ann\"");
//! # Ok(()) }
//! ```

mod layer;
mod rooms;
mod service;
mod value;

pub use self::{
    layer::ContextLayer,
    rooms::Rooms,
    service::ContextService,
    value::{ByMessage, Context},
};
