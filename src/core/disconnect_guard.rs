use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::{Context as Task, Poll, Waker},
};

use futures_util::FutureExt;
use tokio::{runtime::Handle, time::timeout};
use zocket_layers::{
    Mailbox,
    hub::ConnectOptions,
    internal::{Broken, is_broken},
};

use super::{
    Attempt, ClientHandle, Core, Ending, Reason, RegistryGuard,
    contain::{contained, drop_contained},
    lifecycle::BoxFuture,
};

/// Guard that runs `on_disconnect` exactly once, after a successful `on_connect`: in [`run`](Self::run), or in a
/// spawned task when the guard is dropped without it. If the runtime has ended, it polls the callback once.
pub(crate) struct DisconnectGuard<C: Send + Sync + 'static> {
    armed: Option<Armed<C>>,
    /// True in the task that a dropped guard spawns. If that task is dropped as well, the runtime has ended.
    is_last_attempt: bool,
}

/// A client that has to be removed from the hub and from the registry.
struct Armed<C> {
    core: Arc<Core<C>>,
    handle: ClientHandle<C>,
    /// The client's mailbox, once it is connected to the hub.
    mailbox: Option<Arc<Mailbox>>,
    registered: Arc<RegistryGuard<C>>,
}

impl<C: Send + Sync + 'static> DisconnectGuard<C> {
    /// Registers the connection that an attempt has become, and creates its guard.
    pub(crate) fn new(core: Arc<Core<C>>, attempt: Attempt<C>, handle: ClientHandle<C>) -> Self {
        let registered = core.registry.enter(attempt, handle.clone());
        Self {
            armed: Some(Armed {
                core,
                handle,
                mailbox: None,
                registered,
            }),
            is_last_attempt: false,
        }
    }

    /// Connects the client to the hub, now that its socket is open. Returns its mailbox. `None` after
    /// [`run`](Self::run), which consumes `self`.
    pub(crate) fn open(&mut self) -> Option<Arc<Mailbox>> {
        let armed = self.armed.as_mut()?;
        let Armed { core, handle, .. } = armed;
        core.start_background();
        let connection = &handle.connection;
        let options = ConnectOptions::new(core.limits.clone(), connection.form());
        let mailbox = core.hub.connect(connection.client_id(), &options);
        armed.mailbox = Some(mailbox.clone());
        armed.registered.open(mailbox.clone());
        Some(mailbox)
    }

    /// Returns a guard that keeps the connection registered until it is dropped. `on_disconnect` may finish before the
    /// closing handshake, and a shutdown waits for both. Always `Some`, because [`run`](Self::run) consumes `self`.
    pub(crate) fn registered(&self) -> Option<Arc<RegistryGuard<C>>> {
        self.armed.as_ref().map(|armed| armed.registered.clone())
    }

    /// Returns the progress of the app's shutdown for this connection.
    pub(crate) fn ending(&self) -> Arc<Ending> {
        let ending = self.armed.as_ref().map(|armed| armed.registered.ending());
        ending.cloned().unwrap_or_default()
    }

    /// Runs `on_disconnect`, then removes the client from its rooms and from the hub. A callback that has not finished
    /// within `Limits::linger` is dropped.
    pub(crate) async fn run(mut self, reason: Reason) {
        if let Some(armed) = self.armed.take() {
            armed.disconnect(reason).await;
        }
    }

    /// Runs `on_disconnect` in a task of its own. If the runtime has ended, polls it once.
    pub(crate) fn spawn(mut self, reason: Reason) {
        let armed = self.armed.take();
        match Handle::try_current() {
            Ok(runtime) if !self.is_last_attempt => {
                let guard = Self {
                    armed,
                    is_last_attempt: true,
                };
                // A runtime that has ended drops the task here, without a poll.
                drop(runtime.spawn(guard.run(reason)));
            }
            _ => {
                if let Some(armed) = armed {
                    armed.disconnect_now(Reason::RuntimeDropped);
                }
            }
        }
    }
}

impl<C: Send + Sync + 'static> Drop for DisconnectGuard<C> {
    fn drop(&mut self) {
        if let Some(armed) = self.armed.take() {
            let guard = Self {
                armed: Some(armed),
                is_last_attempt: self.is_last_attempt,
            };
            guard.spawn(Reason::Cut);
        }
    }
}

impl<C> Armed<C> {
    /// Returns the future of `on_disconnect`. `None` if the app has no such callback, or if it panicked when it was
    /// called.
    fn callback(&self, reason: Reason) -> Option<BoxFuture<()>> {
        self.handle.connection.close();
        if reason == Reason::Silent && is_broken(Broken::DisconnectOfSilentPeers) {
            return None;
        }
        let on_disconnect = self.core.lifecycle.disconnect.as_ref()?;
        let mut callback = None;
        contained("on_disconnect", || {
            callback = Some(on_disconnect(self.handle.context(), reason));
        });
        callback
    }

    async fn disconnect(self, reason: Reason) {
        let client = self.handle.connection.client_id();
        let Some(mut callback) = self.callback(reason) else {
            return;
        };
        let linger = self.core.limits.linger;
        match timeout(linger, AssertUnwindSafe(&mut callback).catch_unwind()).await {
            Ok(Ok(())) => {}
            Ok(Err(panic)) => {
                tracing::error!(%client, "on_disconnect panicked");
                drop_contained(panic);
            }
            Err(_) => {
                tracing::error!(%client, ?linger, "on_disconnect dropped: it did not finish within Limits::linger");
            }
        }
        drop_contained(callback);
    }

    /// Polls `on_disconnect` once, because no task can run any more.
    fn disconnect_now(self, reason: Reason) {
        let client = self.handle.connection.client_id();
        let Some(mut callback) = self.callback(reason) else {
            return;
        };
        let cx = &mut Task::from_waker(Waker::noop());
        match catch_unwind(AssertUnwindSafe(|| callback.as_mut().poll(cx))) {
            Ok(Poll::Ready(())) => {}
            Ok(Poll::Pending) => {
                tracing::error!(%client, "on_disconnect dropped: the tokio runtime has ended");
            }
            Err(panic) => {
                tracing::error!(%client, "on_disconnect panicked: the tokio runtime has ended");
                drop_contained(panic);
            }
        }
        drop_contained(callback);
    }
}

/// Removes the client, even if `on_disconnect` was dropped half-way.
impl<C> Drop for Armed<C> {
    fn drop(&mut self) {
        self.handle.connection.close();
        if let Some(mailbox) = self.mailbox.take() {
            mailbox.mute();
            contained("Hub::disconnect", || self.core.hub.disconnect(&mailbox));
        }
        // Clients of the base protocol have no sessions that can be resumed.
        if self.handle.connection.form().is_extended() {
            self.core.sessions.leave(&self.handle.connection.client_id());
        }
    }
}
