//! A connection, from the 101 to the end of `on_disconnect`.
//!
//! What the connection owns and what the session owns are apart: the [`Session`](session::Session) has the inbound
//! queue, the handlers in flight and, through its mailbox, the rooms; the [`Socket`](socket::Socket) has the
//! WebSocket and what waits to be written. The [`Driver`](driver::Driver) moves both.

mod departure;
mod driver;
mod ends;
mod gauge;
mod guest;
mod heartbeat;
mod in_flight;
mod open;
mod outbound;
mod pool;
mod session;
mod socket;
mod stir;
mod stream;

use std::{panic::AssertUnwindSafe, sync::Arc};

use bytes::Bytes;
use futures_util::FutureExt;
use hyper::upgrade::{OnUpgrade, Upgraded};
use serde_json::json;
use tower::{BoxError, Service};
use zocket_layers::{ClientId, Context, Error, Frame, Limits, Mailbox, Wire};

pub(crate) use self::{departure::Departure, ends::Ends, guest::Guest, open::Open};
use self::{driver::Driver, session::Session, socket::Socket};
use crate::{app::Core, on_connect::BoxFuture};

/// One client's stay.
pub(crate) struct Visit<C: Send + Sync + 'static, S> {
    pub(crate) core: Arc<Core<C>>,
    pub(crate) pipeline: S,
    pub(crate) guest: Guest<C>,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) departure: Departure<C>,
    /// The contract's hash.
    pub(crate) contract: Arc<str>,
}

impl<C, S> Visit<C, S>
where
    C: Send + Sync + 'static,
    S: Service<Frame, Response = Option<Vec<u8>>, Error = BoxError>,
{
    /// Waits for the 101 to have gone out, drives the connection to its end, and lets the client go.
    ///
    /// What an idle connection's task holds is little: what is needed before and after is boxed.
    pub(crate) async fn run(self: Box<Self>, upgrade: OnUpgrade) {
        let client = self.guest.connection.client_id();
        // Counted until the goodbye has been said, too.
        let _stay = self.departure.stay();
        match upgrade.await {
            Ok(upgraded) => {
                tracing::debug!(%client, "connection open");
                // The pipeline's panics are caught in it; one of the driver's own must not cost the departure.
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
                Box::pin(self.departure.depart()).await;
            }
        }
        tracing::debug!(%client, "connection ended");
    }

    fn drive(self, upgraded: Upgraded) -> impl Future<Output = ()> {
        let Self {
            core,
            pipeline,
            guest,
            mailbox,
            departure,
            contract,
        } = self;
        let client = guest.connection.client_id();
        let opening = (core.lifecycle.open.is_some()).then(|| open(core.clone(), guest.context()));
        let session = Session::new(guest.connection, mailbox, pipeline, core.concurrency);
        let mut socket = Socket::new(upgraded, &core.limits);
        if session.wire() == Wire::Extended {
            socket.outbound().push(welcome(client, &contract, &core.limits));
        }
        Box::new(Driver::new(socket, session, opening, core.limits.clone())).run(core, departure)
    }
}

/// The first frame of the extended protocol.
fn welcome(client_id: ClientId, contract: &str, limits: &Limits) -> Bytes {
    let payload =
        json!({ "clientId": client_id, "contract": contract, "limits": { "message": limits.message } });
    json!({ "type": "__welcome", "payload": payload })
        .to_string()
        .into()
}

/// Runs the app's `on_open`.
fn open<C: Send + Sync + 'static>(core: Arc<Core<C>>, context: Context<C>) -> BoxFuture<Result<(), Error>> {
    Box::pin(async move {
        match &core.lifecycle.open {
            Some(open) => open(context).await,
            None => Ok(()),
        }
    })
}
