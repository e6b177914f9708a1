//! Idempotency: a message that is sent twice is handled once.
//!
//! A client whose connection broke does not know whether its call was handled. It calls again, with the same
//! *idempotency key* in the payload; [`IdempotencyLayer`] finds the first one's answer and gives it again, without
//! running the handler and without its effects. Messages without a key pass.
//!
//! What is remembered is remembered by scope, route and key. The scope is the client's id, unless
//! [`scope`](IdempotencyLayer::scope) says otherwise, and **it should where users have accounts: a client that
//! connects anew has a new id**. So has whoever guesses keys; by the account, they would have to be that user.
//!
//! | a message with a known key | what happens |
//! |---|---|
//! | the first one has been handled | the same answer again; the handler does not run |
//! | the first one is still being handled | it waits, and gets the first one's outcome, be it an answer or a refusal |
//! | the first one was refused | it is handled as if it were the first |
//! | the first one was given up before its end (a timeout further outside) | who waits is refused with CONFLICT; who comes later is handled |
//! | its payload differs from the first one's | refused with CONFLICT, and not handled |
//!
//! - **Waiting** is not what Stripe and the IETF draft do (draft-ietf-httpapi-idempotency-key-header-07, section 2.6:
//!   409 while the first is in process). There a second request is a client's haste. Here it is what follows a broken
//!   connection: the handler goes on, the client is back within a second, and has no better question than what came
//!   of it.
//! - **Another payload** is what that draft answers with 422, for which this protocol has no code of its own: CONFLICT
//!   is what contradicts what is there. Payloads are compared by their bytes: a repeated call sends what it sent.
//! - **Refusals are not remembered**, unlike at Stripe: whoever corrects the cause may try again with the same key.
//!   So a failed handler should have left nothing behind: make the procedure `.atomic()`, and its database work one
//!   transaction.
//! - **A repeated answer is an answer alone.** Rooms that the first message entered, it entered with the connection
//!   that it came by.
//!
//! The layer stands outside of fan-out, where a success is one: `router.layer` for a module, `builder.layer` for the
//! whole app; within a retry or a timeout rather than around it. It keeps what it knows in memory, bounded by age
//! (24 hours, as at Stripe), by number and by bytes; the oldest goes first. Each server has its own.
//!
//! ```
//! use tower::{BoxError, ServiceBuilder, ServiceExt, service_fn};
//! use zocket_layers::{Connection, IdempotencyLayer, Message, RawPayload, Reply, idempotency::payload_member};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), BoxError> {
//! let orders = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
//! let count = orders.clone();
//! let order = ServiceBuilder::new()
//!     .layer(IdempotencyLayer::new(payload_member("key")))
//!     .service(service_fn(move |_: Message| {
//!         let number = 1 + count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
//!         async move { Ok::<_, BoxError>(Reply::of(&number)?) }
//!     }));
//! let connection = Connection::detached(());
//! for _ in 0..2 {
//!     let payload = RawPayload::json(r#"{"key":"5f0c","item":"tea"}"#);
//!     let reply = order.clone().oneshot(Message::new(connection.clone(), "shop.order", payload)).await?;
//!     assert_eq!(reply.answer.as_json(), b"1");
//! }
//! assert_eq!(orders.load(std::sync::atomic::Ordering::Relaxed), 1);
//! # Ok(()) }
//! ```

mod future;
mod key;
mod layer;
mod service;
mod store;

pub use self::{
    future::IdempotencyFuture, key::payload_member, layer::IdempotencyLayer, service::IdempotencyService,
};
