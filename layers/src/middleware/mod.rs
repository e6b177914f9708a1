//! Middleware: code that runs between the context and the handler.
//!
//! Any tower layer works. Three layers are made from plain async functions: [`WithLayer`] replaces the context or
//! refuses, [`WithInputLayer`] reads the input as well, and [`FromFnLayer`] runs code around the call.
//!
//! ```
//! use tower::{BoxError, ServiceBuilder, ServiceExt};
//! use zocket_layers::{
//!     Connection, Context, ContextLayer, Error, Message, Next, RawPayload, Reply, ValidateLayer, handler_fn,
//!     middleware::{from_fn, with},
//! };
//!
//! struct User { name: &'static str, is_admin: bool }
//! struct Admin { name: &'static str }
//!
//! async fn require_admin(cx: Context<User>) -> Result<Admin, Error> {
//!     if cx.is_admin { Ok(Admin { name: cx.name }) } else { Err(Error::forbidden("admins only")) }
//! }
//!
//! async fn timed(message: Message<(), Context<User>>, next: Next<(), Context<User>>) -> Result<Reply, BoxError> {
//!     let started = std::time::Instant::now();
//!     let reply = next.run(message).await;
//!     println!("took {:?}", started.elapsed());
//!     reply
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), BoxError> {
//! let stack = ServiceBuilder::new()
//!     .layer(ValidateLayer::<()>::ignoring())
//!     .layer(ContextLayer::<User>::new())
//!     .layer(from_fn(timed))
//!     .layer(with(require_admin))
//!     .service(handler_fn(async |cx: Context<Admin>| Ok(cx.name)));
//! let ann = Connection::detached(User { name: "Ann", is_admin: true });
//! let reply = stack.clone().oneshot(Message::new(ann, "whoami", RawPayload::absent())).await?;
//! assert_eq!(reply.answer.as_json(), b"\"Ann\"");
//! let bob = Connection::detached(User { name: "Bob", is_admin: false });
//! let refusal = stack.oneshot(Message::new(bob, "whoami", RawPayload::absent())).await.unwrap_err();
//! assert_eq!(refusal.to_string(), "FORBIDDEN: admins only");
//! # Ok(()) }
//! ```

mod from_fn;
mod future;
mod with;
mod with_input;

pub use self::{
    from_fn::{FromFnFuture, FromFnLayer, FromFnService, Next, from_fn},
    future::{KeptPayload, ReturnedPayload, WithFuture},
    with::{WithLayer, WithService, with},
    with_input::{WithInputLayer, WithInputService, with_input},
};
