//! A connection that is established, until its end.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
};

use hyper::upgrade::Upgraded;
use tower::{BoxError, Service};
use zocket_layers::{Frame, FrameResponse, internal};

use super::{
    ConnectionTask,
    driver::Driver,
    opening::open,
    session::{End, Session, SessionOptions},
    timer::now,
    websocket::WebSocket,
};
use crate::{
    core::{Core, DisconnectGuard, RegistryGuard, ResumeSlot},
    upgrade::address::OpenSlot,
};

/// A connection that is established. It is one allocation, so that the task of an idle connection is little more than a
/// pointer to it.
pub(super) struct Established<C: Send + Sync + 'static, S: Service<Frame>> {
    driver: Driver<S>,
    core: Arc<Core<C>>,
    guard: DisconnectGuard<C>,
    /// Keeps the connection registered until its closing handshake has ended, even if `on_disconnect` finishes earlier.
    registered: Option<Arc<RegistryGuard<C>>>,
    /// Counts the client for its address. A session that can be resumed counts by itself.
    place: Option<OpenSlot>,
}

impl<C, S> Established<C, S>
where
    C: Send + Sync + 'static,
    S: Service<Frame>,
    S::Response: Into<FrameResponse>,
    S::Error: Into<BoxError>,
{
    /// Connects the client to the hub, and makes the driver of its connection. Returns none if `on_disconnect` has run.
    pub(super) fn new(task: ConnectionTask<C, S>, upgraded: Upgraded) -> Option<Box<Self>> {
        let ConnectionTask {
            core,
            pipeline,
            handle,
            mut guard,
            mut caller,
            offers,
            codec,
            contract,
        } = task;
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
            let welcome = session.welcome(contract.as_deref());
            session.outbound().push_uncounted(welcome);
        }
        let socket = WebSocket::new(upgraded, &core.limits);
        Some(Box::new(Self {
            driver: Driver::new(socket, session, pipeline, opening),
            registered: guard.registered(),
            core,
            guard,
            place,
        }))
    }

    /// Drives the connection to its end, then tears it down.
    pub(super) async fn run(mut self: Box<Self>) {
        let end = poll_fn(|cx| self.driver.poll(cx)).await;
        self.end(end).await;
    }

    /// Returns the teardown, boxed: the task of an open connection reserves no memory for it.
    fn end(self: Box<Self>, end: End) -> Pin<Box<impl Future<Output = ()>>> {
        let Self {
            mut driver,
            core,
            guard,
            registered,
            place,
        } = *self;
        driver.detach(&end);
        driver.session.stop_sending(&end);
        let teardown = driver.into_teardown();
        Box::pin(async move {
            core.teardown.run(teardown.run(end, &core, guard)).await;
            drop((registered, place));
        })
    }
}
