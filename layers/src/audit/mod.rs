//! Audit: reports each effect, and the client that caused it.
//!
//! A sink, which is an [`Audit`] or a closure, is called with each [`Effect`](crate::Effect) that the hub has
//! *accepted*, as one [`Audited`]. An accepted effect may still be pending, and may fail later. Two types call the
//! sink, for different effects:
//!
//! | | [`AuditLayer`], around messages | [`AuditHub`], around the hub |
//! |---|---|---|
//! | effects of handlers and middleware, passing | each as it is performed, even if the message fails later | the same |
//! | the same under `.atomic()` | each after the message's success, as inner layers have left it; none of a failed message | the same |
//! | effects of a handler's child task after the answer | yes | yes |
//! | `on_open`, `on_disconnect`, [`Emitter`](crate::Emitter) | no | yes |
//! | connects and disconnects of clients | no | no: the app has `on_connect` and `on_disconnect` for them |
//! | source | client, route, `rpcId` | the client; none for an `Emitter` |
//! | effects that the hub has refused | no | no |
//!
//! The layer works at any position in the stack. At the outside (`builder.layer`, `router.layer`) it misses nothing.
//! With both in one app, each effect of a message is reported twice. Inside a [`TraceLayer`](crate::TraceLayer), the
//! sink is called in that layer's span, so that its log lines have the route, even those of [`AuditHub`].
//!
//! The sink runs inline with the message, so it must not block. It should put each entry into a queue of its own.
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
