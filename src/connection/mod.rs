//! A connection, from the answer to its handshake until the end of `on_disconnect`.
//!
//! The [`Session`] is the protocol without input and output. The [`WebSocket`]
//! is the framing on a stream. The [`Handlers`](handlers::Handlers) are the pipeline and its messages in flight. The
//! [`Driver`] polls all three.

mod attach;
mod budget;
mod buffers;
mod driver;
mod established;
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
    established::Established,
    opening::open,
    session::{Session, SessionOptions},
    timer::now,
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
    /// The client, as its handshake tells.
    pub(crate) caller: Caller,
    /// The frames that the client understands.
    pub(crate) offers: Offers,
    /// The codec of the stack. `None` if its frames are opaque.
    pub(crate) codec: Option<Codec>,
    /// Hash of the contract. `None` for a stack without one.
    pub(crate) contract: Option<Arc<str>>,
    /// Number of the last frame that the client's former session has received, if the handshake has ended that.
    pub(crate) ended: Option<u64>,
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
    /// The future is small: while the connection is open it holds little more than a pointer. What is needed before or after
    /// that is in futures of their own.
    pub(crate) async fn run(self: Box<Self>, upgrade: OnUpgrade) {
        let client = self.handle.connection.client_id();
        let run = async {
            if let Some(established) = Box::pin(self.establish(upgrade)).await {
                established.run().await;
            }
        };
        // The handlers catch panics of the app. A panic of the driver itself is logged. It drops the guard, which then runs
        // on_disconnect in a task of its own.
        if let Err(panic) = AssertUnwindSafe(run).catch_unwind().await {
            tracing::error!(%client, "the connection's driver panicked");
            drop_contained(panic);
        }
        tracing::debug!(%client, "connection ended");
    }

    /// Waits until the handshake has been answered. If that fails, runs `on_disconnect` and returns none.
    async fn establish(self: Box<Self>, upgrade: OnUpgrade) -> Option<Box<Established<C, S>>> {
        match self.opened(upgrade).await {
            Some(upgraded) => {
                let client = self.handle.connection.client_id();
                tracing::debug!(%client, "connection opened");
                self.established(upgraded).map(Box::new)
            }
            None => {
                self.guard.run(Reason::NeverOpened).await;
                None
            }
        }
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

    /// Connects the client to the hub, and makes the driver of its connection. Returns none if `on_disconnect` has run.
    fn established(self, upgraded: Upgraded) -> Option<Established<C, S>> {
        let Self {
            core,
            pipeline,
            handle,
            mut guard,
            mut caller,
            offers,
            codec,
            contract,
            ended,
        } = self;
        let mailbox = guard.open()?;
        let opening = (core.lifecycle.open.is_some()).then(|| open(core.clone(), handle.context()));
        let options = SessionOptions {
            codec,
            concurrency: core.concurrency,
            has_flow: offers.flow,
        };
        let (client, form) = (handle.connection.client_id(), handle.connection.form());
        let may_resume = offers.resume && !handle.connection.limits().resume_within.is_zero();
        let waker = internal::reader(&mailbox).clone();
        let mut session = Session::new(handle.connection, mailbox, options, core.limits.clone(), now())
            .with_ending(guard.ending());
        let place = caller.place.take_if(|_| !may_resume);
        if may_resume {
            let slot = Arc::new(ResumeSlot::new(
                client,
                form,
                caller,
                waker,
                core.sessions.clone(),
            ));
            core.sessions.enter(slot.clone());
            session = session.with_resume(slot, contract.clone());
        }
        if form.is_extended() {
            let welcome = session.welcome(contract.as_deref(), ended);
            session.outbound().push_uncounted(welcome);
        }
        let socket = WebSocket::new(upgraded, &core.limits);
        let driver = Driver::new(socket, session, pipeline, opening);
        Some(Established::new(driver, core, guard, place))
    }
}
