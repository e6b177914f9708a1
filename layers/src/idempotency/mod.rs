//! Idempotency: a message that is sent twice is handled once.
//!
//! A client whose connection broke does not know whether its call was handled. It calls again, with the same
//! *idempotency key* in the payload. [`IdempotencyLayer`] finds the first call's answer and returns it again, without
//! running the handler and without its effects. Messages without a key pass.
//!
//! Answers are remembered by scope, route and key. The scope is the client's id, unless
//! [`scope`](IdempotencyLayer::scope) sets another. **An app with user accounts should set it, since a client that
//! reconnects has a new id.** Both scopes protect against guessed keys: another client has another id, and with
//! accounts as the scope a guesser would have to be that user.
//!
//! | state of the first message with the key | result for the next one |
//! |---|---|
//! | handled | the same answer again; the handler does not run |
//! | still being handled | it waits, and receives the outcome of the first one, an answer or a refusal |
//! | refused | it is handled as if it were the first |
//! | dropped before its end (by a timeout further outside) | if it waits, it is refused with CONFLICT; if it comes later, it is handled |
//! | sent with another payload | it is refused with CONFLICT, and not handled |
//!
//! - **Waiting** differs from Stripe and the IETF draft (draft-ietf-httpapi-idempotency-key-header-07, section 2.6:
//!   409 while the first request is in process). There, a second request means a hasty client. Here, it follows a
//!   broken connection. The handler still runs, the client reconnects within a second, and it needs the outcome.
//! - **Another payload** is answered with 422 in that draft. This protocol has no such code, and uses CONFLICT, its
//!   code for a contradiction to the current state. Payloads are compared by their bytes, since a repeated call sends
//!   the same bytes.
//! - **Refusals are not remembered**, unlike at Stripe. A client that corrects the cause may retry with the same key. A
//!   failed handler should therefore leave nothing behind. Make the procedure `.atomic()`, and its database work one
//!   transaction.
//! - **A repeated answer has no effects.** Rooms that the first message entered were entered by the connection that it
//!   arrived on.
//!
//! Place the layer outside of fan-out, where a success is final: `router.layer` for a module, `builder.layer` for the
//! whole app. A retry or a timeout belongs outside of it. The memory is in process, one per server. It is bounded by
//! age (24 hours, as at Stripe), by number and by bytes. The oldest answers are dropped first.
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
