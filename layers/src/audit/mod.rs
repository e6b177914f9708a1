//! Audit: who did what.
//!
//! A sink, [`Audit`], or simply a closure, sees each [`Effect`](crate::Effect) that the hub has taken, as one
//! [`Audited`]. Two things call it, and what they see differs:
//!
//! | | [`AuditLayer`], around messages | [`AuditHub`], around the hub |
//! |---|---|---|
//! | what handlers and middleware do, passing | each effect as it is performed, also if the message fails later | the same |
//! | the same under `.atomic()` | each effect after the message's success, as inner layers have left it; nothing of a failed one | the same |
//! | what a handler's child task does after the answer | yes | yes |
//! | `on_open`, `on_disconnect`, [`Emitter`](crate::Emitter) | no | yes |
//! | clients that come and go | no | no: `on_connect` and `on_disconnect` are the app's own |
//! | who | client, route, `rpcId` | the client; nobody for an `Emitter` |
//! | what the hub has refused | no | no |
//!
//! The layer may stand anywhere; outside (`builder.layer`, `router.layer`) it misses nothing. With both in one app,
//! what messages do is seen twice. Where a [`TraceLayer`](crate::TraceLayer) stands outside, the sink is called in its
//! span, so that what it logs has the route even from a hub's wrapper.
//!
//! The sink is called on the way of the message: it should put what it sees into a queue of its own, and must not wait.
//!
//! ```
//! use std::sync::{Arc, Mutex};
//! use tower::{BoxError, ServiceBuilder, ServiceExt};
//! use zocket_layers::{
//!     AuditLayer, Audited, Connection, Context, ContextLayer, FanoutLayer, Message, RawPayload, ValidateLayer,
//!     handler_fn,
//! };
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), BoxError> {
//! let book = Arc::new(Mutex::new(Vec::new()));
//! let entries = book.clone();
//! let connection = Connection::detached(());
//! let stack = ServiceBuilder::new()
//!     .layer(AuditLayer::new(move |audited: &Audited<'_>| {
//!         entries.lock().unwrap().push(format!("{:?} {:?}", audited.route, audited.effect));
//!     }))
//!     .layer(FanoutLayer::new())
//!     .layer(ValidateLayer::<()>::ignoring())
//!     .layer(ContextLayer::<()>::new())
//!     .service(handler_fn(async |cx: Context<()>| cx.rooms().join("lobby")));
//! stack.oneshot(Message::new(connection, "enter", RawPayload::absent())).await?;
//! assert_eq!(*book.lock().unwrap(), [r#"Some("enter") Join("lobby")"#]);
//! # Ok(()) }
//! ```

mod hub;
mod layer;
mod service;
mod sink;

use self::sink::Auditor;
pub use self::{
    hub::AuditHub,
    layer::AuditLayer,
    service::AuditService,
    sink::{Audit, Audited},
};
