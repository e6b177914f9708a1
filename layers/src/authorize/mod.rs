//! Authorize: refuses the messages that a predicate does not allow.
//!
//! [`AuthorizeLayer`] calls a predicate with each message. `true` or `Ok(())` lets the message pass. `false` refuses
//! it with FORBIDDEN (or UNAUTHORIZED, by [`unauthorized`](AuthorizeLayer::unauthorized)), and `Err` with that error.
//!
//! Place it where the data of the predicate is known. At a typed position, `procedure.layer`, the predicate reads the
//! context ([`AuthorizeLayer::context`]) or the whole message with its input ([`AuthorizeLayer::new`]). At a raw one,
//! `router.layer` or `builder.layer`, it reads the route and the connection with the value that `on_connect` made. A
//! message refused at a raw position is never parsed; one refused at a typed position was valid.
//!
//! The predicate is not async. For a check that needs a database, write a middleware,
//! [`with`](crate::middleware::with). It can also pass on a proof: a handler that takes a `Context<Admin>` can't be
//! put behind the wrong predicate.
//!
//! ```
//! use tower::{BoxError, ServiceBuilder, ServiceExt};
//! use zocket_layers::{
//!     AuthorizeLayer, Connection, Context, ContextLayer, Message, RawPayload, ValidateLayer, handler_fn,
//! };
//!
//! struct User { is_admin: bool, is_banned: bool }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), BoxError> {
//! let stack = ServiceBuilder::new()
//!     .layer(AuthorizeLayer::new(|message: &Message| {
//!         message.parts().connection().context::<User>().is_some_and(|user| !user.is_banned)
//!     }))
//!     .layer(ValidateLayer::<()>::ignoring())
//!     .layer(ContextLayer::<User>::new())
//!     .layer(AuthorizeLayer::context(|cx: &Context<User>| cx.is_admin))
//!     .service(handler_fn(async |_: Context<User>| Ok("done")));
//! let user = Connection::detached(User { is_admin: false, is_banned: false });
//! let refusal = stack.oneshot(Message::new(user, "chat.clear", RawPayload::absent())).await.unwrap_err();
//! assert_eq!(refusal.to_string(), "FORBIDDEN: not allowed");
//! # Ok(()) }
//! ```

mod layer;
mod predicate;
mod service;

pub use self::{
    layer::AuthorizeLayer,
    predicate::{OfContext, OfMessage, Predicate, Verdict},
    service::AuthorizeService,
};
