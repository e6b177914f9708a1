//! A connection, from the 101 to the end of `on_disconnect`.
//!
//! The [`Session`] is the protocol without input and output, the [`WebSocket`] the framing on a stream, the
//! [`Handlers`](handlers::Handlers) the pipeline and its messages in flight. The [`Driver`] moves all three.

mod buffers;
mod driver;
mod handlers;
mod io_wake_flag;
mod session;
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
use crate::core::{BoxFuture, ClientHandle, Core, DisconnectGuard};

/// The task of one connection.
pub(crate) struct ConnectionTask<C: Send + Sync + 'static, S> {
    pub(crate) core: Arc<Core<C>>,
    pub(crate) pipeline: S,
    pub(crate) handle: ClientHandle<C>,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) guard: DisconnectGuard<C>,
    /// The codec of the stack; none if its frames are opaque.
    pub(crate) codec: Option<Codec>,
    /// Hash of the contract; none for a stack without one.
    pub(crate) contract: Option<Arc<str>>,
}

impl<C, S> ConnectionTask<C, S>
where
    C: Send + Sync + 'static,
    S: Service<Frame>,
    S::Response: Into<FrameResponse>,
    S::Error: Into<BoxError>,
{
    /// Waits until the 101 has gone out, drives the connection to its end, and lets the client go.
    ///
    /// The task of an idle connection holds little: values that are needed before and after are boxed.
    pub(crate) async fn run(self: Box<Self>, upgrade: OnUpgrade) {
        let client = self.handle.connection.client_id();
        // Registered until the Close has been answered, too.
        let _registered = self.guard.registered();
        match upgrade.await {
            Ok(upgraded) => {
                tracing::debug!(%client, "connection open");
                // The handlers catch the app's panics; one of the driver's own must not cost the on_disconnect.
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
                    tracing::error!(%client, %error, "the HTTP server does not upgrade: hyper needs `with_upgrades`");
                } else {
                    tracing::debug!(%client, %error, "the client was gone before the handshake was answered");
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

    /// The first frame of the extended protocol.
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

/// Runs the app's `on_open`, until its effects are in effect.
fn open<C: Send + Sync + 'static>(core: Arc<Core<C>>, context: Context<C>) -> BoxFuture<Result<(), Error>> {
    Box::pin(async move {
        let Some(open) = &core.lifecycle.open else {
            return Ok(());
        };
        open(context.clone()).await?;
        internal::performed(&context).await
    })
}
