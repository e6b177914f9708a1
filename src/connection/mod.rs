//! A connection, from the answer to its handshake until the end of `on_disconnect`.
//!
//! The [`Session`] is the protocol without input and output. The [`WebSocket`] is the framing on a stream. The
//! [`Handlers`](handlers::Handlers) are the pipeline and its messages in flight. The [`Driver`] polls all three.

mod buffers;
mod driver;
mod handlers;
mod io_wake_flag;
mod session;
mod sync;
mod timer;
mod websocket;

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt;
use hyper::upgrade::{OnUpgrade, Upgraded};
use serde_json::json;
use tower::{BoxError, Service};
use zocket_layers::{Codec, Context, DataFrame, Error, Frame, FrameResponse, Mailbox, internal};

use self::{
    driver::Driver,
    session::{Session, SessionOptions},
    websocket::WebSocket,
};
use crate::{
    core::{BoxFuture, ClientHandle, Core, DisconnectGuard},
    upgrade::address::OpenSlot,
};

/// The task of one connection.
pub(crate) struct ConnectionTask<C: Send + Sync + 'static, S> {
    pub(crate) core: Arc<Core<C>>,
    pub(crate) pipeline: S,
    pub(crate) handle: ClientHandle<C>,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) guard: DisconnectGuard<C>,
    /// Counts the connection for its address, if a layer limits their number.
    pub(crate) slot: Option<OpenSlot>,
    /// The codec of the stack. `None` if its frames are opaque.
    pub(crate) codec: Option<Codec>,
    /// Hash of the contract. `None` for a stack without one.
    pub(crate) contract: Option<Arc<str>>,
}

impl<C, S> ConnectionTask<C, S>
where
    C: Send + Sync + 'static,
    S: Service<Frame>,
    S::Response: Into<FrameResponse>,
    S::Error: Into<BoxError>,
{
    /// Waits until the handshake has been answered, drives the connection to its end, and runs `on_disconnect`.
    ///
    /// Values that are needed only before or after the connection are boxed, so that the task of an idle connection
    /// stays small.
    pub(crate) async fn run(mut self: Box<Self>, upgrade: OnUpgrade) {
        let client = self.handle.connection.client_id();
        // Keeps the connection registered until its closing handshake has ended, even if `on_disconnect` finishes
        // earlier.
        let _registered = self.guard.registered();
        let _slot = self.slot.take();
        match upgrade.await {
            Ok(upgraded) => {
                tracing::debug!(%client, "connection opened");
                // The handlers catch panics of the app. A panic of the driver itself is logged. It drops the guard,
                // which then runs on_disconnect in a task of its own.
                if AssertUnwindSafe(self.drive(upgraded))
                    .catch_unwind()
                    .await
                    .is_err()
                {
                    tracing::error!(%client, "the connection's driver panicked");
                }
            }
            Err(error) => {
                if error.is_user() {
                    tracing::error!(%client, %error, "upgrade failed: the HTTP server must serve connections `with_upgrades`");
                } else {
                    tracing::debug!(%client, %error, "the client disconnected before the handshake was answered");
                }
                Box::pin(self.guard.run()).await;
            }
        }
        tracing::debug!(%client, "connection ended");
    }

    fn drive(self, upgraded: Upgraded) -> impl Future<Output = ()> {
        let welcome = self.welcome();
        let Self {
            core,
            pipeline,
            handle,
            mailbox,
            guard,
            codec,
            ..
        } = self;
        let opening = (core.lifecycle.open.is_some()).then(|| open(core.clone(), handle.context()));
        let options = SessionOptions {
            codec,
            concurrency: core.concurrency,
        };
        let mut session = Session::new(
            handle.connection,
            mailbox,
            options,
            core.limits.clone(),
            timer::now(),
        );
        if let Some(welcome) = welcome {
            session.outbound().push(welcome);
        }
        let socket = WebSocket::new(upgraded, &core.limits);
        Box::new(Driver::new(socket, session, pipeline, opening)).run(core, guard)
    }

    /// Returns the first frame of the extended protocol. `None` for a client of the base protocol.
    fn welcome(&self) -> Option<DataFrame> {
        let connection = &self.handle.connection;
        if !connection.form().is_extended() {
            return None;
        }
        let mut payload = json!({ "clientId": connection.client_id() });
        if let Some(contract) = &self.contract {
            payload["contract"] = json!(&**contract);
        }
        payload["limits"] = json!({ "message": self.core.limits.message });
        Some(connection.form().codec.welcome(&payload))
    }
}

/// Runs the app's `on_open`, and waits until its effects have been performed.
fn open<C: Send + Sync + 'static>(core: Arc<Core<C>>, context: Context<C>) -> BoxFuture<Result<(), Error>> {
    Box::pin(async move {
        let Some(open) = &core.lifecycle.open else {
            return Ok(());
        };
        open(context.clone()).await?;
        internal::performed(&context).await
    })
}
