//! A connection, from the answer to its handshake until the end of `on_disconnect`.
//!
//! The [`Session`] is the protocol without input and output. The [`WebSocket`] is the framing on a stream. The
//! [`Handlers`](handlers::Handlers) are the pipeline and its messages in flight. The [`Driver`] polls all three.

mod attach;
mod budget;
mod buffers;
mod driver;
mod handlers;
mod io_wake_flag;
mod opening;
mod refused;
mod session;
mod sync;
mod teardown;
mod timer;
mod websocket;

use std::{panic::AssertUnwindSafe, pin::pin, sync::Arc, time::Duration};

use futures_util::{
    FutureExt,
    future::{Either, select},
};
use hyper::upgrade::{OnUpgrade, Upgraded};
use tokio::time::sleep;
use tower::{BoxError, Service};
use zocket_layers::{Codec, Frame, FrameResponse, internal};

pub(crate) use self::{attach::dismiss, refused::tell_refusal};
use self::{
    driver::Driver,
    opening::open,
    session::{Session, SessionOptions},
    websocket::WebSocket,
};
use crate::{
    core::{Caller, ClientHandle, Core, DisconnectGuard, Phase, Reason, ResumeSlot, contain::drop_contained},
    upgrade::Offers,
};

/// Time in which the 101 of a client that `on_connect` has accepted is sent, once the app shuts down. The client then
/// receives a Close.
const OPEN_WITHIN_AT_SHUTDOWN: Duration = Duration::from_secs(1);

/// The task of one connection.
pub(crate) struct ConnectionTask<C: Send + Sync + 'static, S> {
    pub(crate) core: Arc<Core<C>>,
    pub(crate) pipeline: S,
    pub(crate) handle: ClientHandle<C>,
    pub(crate) guard: DisconnectGuard<C>,
    /// The client, as its handshake tells. `None` once the session has it.
    pub(crate) caller: Option<Caller>,
    /// The frames that the client understands.
    pub(crate) offers: Offers,
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
        // Counts the client for its address. A session that can be resumed counts by itself.
        let _place = match self.may_resume() {
            true => None,
            false => self.caller.take().and_then(|caller| caller.place),
        };
        match Box::pin(self.opened(upgrade)).await {
            Some(upgraded) => {
                tracing::debug!(%client, "connection opened");
                // The handlers catch panics of the app. A panic of the driver itself is logged. It drops the guard,
                // which then runs on_disconnect in a task of its own.
                if let Err(panic) = AssertUnwindSafe(self.drive(upgraded)).catch_unwind().await {
                    tracing::error!(%client, "the connection's driver panicked");
                    drop_contained(panic);
                }
            }
            None => Box::pin(self.guard.run(Reason::NeverOpened)).await,
        }
        tracing::debug!(%client, "connection ended");
    }

    /// Waits until the HTTP server has sent the 101. Returns none if it has not, because the client disconnected, a
    /// layer replaced the 101 or holds it back, or the app shuts down.
    async fn opened(&self, upgrade: OnUpgrade) -> Option<Upgraded> {
        let client = self.handle.connection.client_id();
        let shut_down = async {
            self.core.registry.reached(Phase::Draining).await;
            let sent = sleep(OPEN_WITHIN_AT_SHUTDOWN);
            select(pin!(sent), pin!(self.core.registry.reached(Phase::Cut))).await;
        };
        let late = pin!(sleep(self.core.app_limits.open_within));
        let shut_down = pin!(shut_down);
        match select(upgrade, select(late, shut_down)).await {
            Either::Left((Ok(upgraded), _)) => return Some(upgraded),
            Either::Left((Err(error), _)) if error.is_user() => {
                tracing::error!(%client, %error, "upgrade failed: the HTTP server must serve connections `with_upgrades`");
            }
            Either::Left((Err(error), _)) => {
                tracing::debug!(%client, %error, "the client disconnected before the handshake was answered");
            }
            Either::Right((Either::Left(_), _)) => {
                tracing::warn!(%client, "client given up: the 101 was not sent within AppLimits::open_within");
            }
            Either::Right((Either::Right(_), _)) => {
                tracing::debug!(%client, "client given up: the app shut down before the handshake was answered");
            }
        }
        None
    }

    /// Returns true if the client can come back to its session.
    fn may_resume(&self) -> bool {
        self.offers.resume && !self.core.limits.resume_within.is_zero()
    }

    /// Connects the client to the hub, and drives the connection to its end.
    async fn drive(self: Box<Self>, upgraded: Upgraded) {
        // In a function of its own, so that this future holds nothing that the driver does not need.
        if let Some((driver, core, guard)) = self.prepare(upgraded) {
            driver.run(core, guard).await;
        }
    }

    /// Connects the client to the hub, and makes the driver of its connection.
    fn prepare(self, upgraded: Upgraded) -> Option<Prepared<C, S>> {
        let may_resume = self.may_resume();
        let Self {
            core,
            pipeline,
            handle,
            mut guard,
            caller,
            offers,
            codec,
            contract,
        } = self;
        let mailbox = guard.open()?;
        let opening = (core.lifecycle.open.is_some()).then(|| open(core.clone(), handle.context()));
        let options = SessionOptions {
            codec,
            concurrency: core.concurrency,
            has_flow: offers.flow,
        };
        let (client, form) = (handle.connection.client_id(), handle.connection.form());
        let driver = internal::reader(&mailbox).clone();
        let limits = core.limits.clone();
        let mut session = Session::new(handle.connection, mailbox, options, limits, timer::now())
            .with_ending(guard.ending());
        if may_resume {
            let (caller, sessions) = (caller.unwrap_or_default(), core.sessions.clone());
            let slot = Arc::new(ResumeSlot::new(client, form, caller, driver, sessions));
            core.sessions.enter(slot.clone());
            session = session.with_resume(slot, contract.clone());
        }
        if form.is_extended() {
            let welcome = session.welcome(contract.as_deref());
            session.outbound().push_uncounted(welcome);
        }
        let socket = WebSocket::new(upgraded, &core.limits);
        let driver = Box::new(Driver::new(socket, session, pipeline, opening));
        Some((driver, core, guard))
    }
}

/// A driver, and what it needs to run.
type Prepared<C, S> = (Box<Driver<S>>, Arc<Core<C>>, DisconnectGuard<C>);
