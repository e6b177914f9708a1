//! What is owed to the app when a client goes.

use std::{mem, panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt;
use zocket_layers::Mailbox;

use super::{Guest, open::Stay};
use crate::app::Core;

/// From a successful `on_connect` on, exactly one `on_disconnect` is owed. [`depart`](Self::depart) runs it; if
/// this is dropped instead, a task of its own does.
pub(crate) struct Departure<C: Send + Sync + 'static>(Option<Owed<C>>);

struct Owed<C> {
    core: Arc<Core<C>>,
    guest: Guest<C>,
    mailbox: Arc<Mailbox>,
    stay: Arc<Stay<C>>,
}

impl<C: Send + Sync + 'static> Departure<C> {
    pub(crate) fn new(core: Arc<Core<C>>, guest: Guest<C>, mailbox: Arc<Mailbox>) -> Self {
        let stay = core.open.enter(mailbox.clone(), guest.clone());
        Self(Some(Owed {
            core,
            guest,
            mailbox,
            stay,
        }))
    }

    /// What keeps the connection counted; none after the departure.
    pub(super) fn stay(&self) -> Option<Arc<Stay<C>>> {
        self.0.as_ref().map(|owed| owed.stay.clone())
    }

    /// Runs `on_disconnect`, then takes the client out of its rooms and out of the hub.
    pub(crate) async fn depart(mut self) {
        if let Some(owed) = self.0.take() {
            owed.pay().await;
        }
    }
}

impl<C> Owed<C> {
    async fn pay(self) {
        let Self {
            core,
            guest,
            mailbox,
            stay,
        } = self;
        let client = guest.connection.client_id();
        guest.connection.close();
        if let Some(on_disconnect) = &core.lifecycle.disconnect {
            let leaving = AssertUnwindSafe(async { on_disconnect(guest.context()).await });
            if leaving.catch_unwind().await.is_err() {
                tracing::error!(%client, "on_disconnect panicked");
            }
        }
        core.hub.disconnect(&mailbox);
        drop(stay);
    }
}

impl<C: Send + Sync + 'static> Drop for Departure<C> {
    fn drop(&mut self) {
        let Some(owed) = mem::take(&mut self.0) else {
            return;
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(owed.pay())),
            Err(_) => tracing::error!("no runtime is left to run on_disconnect"),
        }
    }
}
