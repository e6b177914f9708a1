use std::{mem, panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt;
use zocket_layers::Mailbox;

use super::{ClientHandle, Core, RegistryGuard};

/// Guard that runs `on_disconnect` exactly once, after a successful `on_connect`: in [`run`](Self::run), or in a
/// spawned task when the guard is dropped without it.
pub(crate) struct DisconnectGuard<C: Send + Sync + 'static>(Option<Armed<C>>);

struct Armed<C> {
    core: Arc<Core<C>>,
    handle: ClientHandle<C>,
    mailbox: Arc<Mailbox>,
    registered: Arc<RegistryGuard<C>>,
}

impl<C: Send + Sync + 'static> DisconnectGuard<C> {
    /// Registers the connection, and creates its guard.
    pub(crate) fn new(core: Arc<Core<C>>, handle: ClientHandle<C>, mailbox: Arc<Mailbox>) -> Self {
        let registered = core.registry.enter(mailbox.clone(), handle.clone());
        Self(Some(Armed {
            core,
            handle,
            mailbox,
            registered,
        }))
    }

    /// Returns a guard that keeps the connection registered until it is dropped. `on_disconnect` may finish before the
    /// closing handshake, and a shutdown waits for both. Always `Some`, because [`run`](Self::run) consumes `self`.
    pub(crate) fn registered(&self) -> Option<Arc<RegistryGuard<C>>> {
        self.0.as_ref().map(|armed| armed.registered.clone())
    }

    /// Runs `on_disconnect`, then removes the client from its rooms and from the hub.
    pub(crate) async fn run(mut self) {
        if let Some(armed) = self.0.take() {
            armed.disconnect().await;
        }
    }
}

impl<C> Armed<C> {
    async fn disconnect(self) {
        let Self {
            core,
            handle,
            mailbox,
            registered,
        } = self;
        let client = handle.connection.client_id();
        handle.connection.close();
        if let Some(on_disconnect) = &core.lifecycle.disconnect {
            let leaving = AssertUnwindSafe(async { on_disconnect(handle.context()).await });
            if leaving.catch_unwind().await.is_err() {
                tracing::error!(%client, "on_disconnect panicked");
            }
        }
        core.hub.disconnect(&mailbox);
        drop(registered);
    }
}

impl<C: Send + Sync + 'static> Drop for DisconnectGuard<C> {
    fn drop(&mut self) {
        let Some(armed) = mem::take(&mut self.0) else {
            return;
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(armed.disconnect())),
            Err(_) => tracing::error!("on_disconnect was not run: the tokio runtime has ended"),
        }
    }
}
