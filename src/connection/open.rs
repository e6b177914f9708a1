//! The connections that there are.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::Mutex;
use tokio::sync::Notify;
use zocket_layers::{ClientId, Close, Context, Mailbox};

use super::Guest;

/// The connections that there are, each from its `on_connect` to the end of its `on_disconnect`.
pub(crate) struct Open<C> {
    connections: Mutex<HashMap<ClientId, Here<C>>>,
    is_shut_down: AtomicBool,
    emptied: Notify,
}

/// One that there is.
struct Here<C> {
    mailbox: Arc<Mailbox>,
    guest: Guest<C>,
}

impl<C> Default for Open<C> {
    fn default() -> Self {
        Self {
            connections: Mutex::default(),
            is_shut_down: AtomicBool::default(),
            emptied: Notify::default(),
        }
    }
}

const GOING_AWAY: Close = Close {
    code: 1001,
    reason: std::borrow::Cow::Borrowed("going-away"),
};

impl<C> Open<C> {
    /// Counts a connection, until the last clone of what is returned is dropped.
    pub(super) fn enter(self: &Arc<Self>, mailbox: Arc<Mailbox>, guest: Guest<C>) -> Arc<Stay<C>> {
        let client = mailbox.client_id();
        let here = Here {
            mailbox: mailbox.clone(),
            guest,
        };
        self.connections.lock().insert(client, here);
        // Whoever came in between is not missed by `shutdown`.
        if self.is_shut_down() {
            mailbox.close(GOING_AWAY);
        }
        metrics::counter!("zocket_connections_total").increment(1);
        metrics::gauge!("zocket_connections").increment(1.0);
        Arc::new(Stay {
            open: self.clone(),
            client,
        })
    }

    fn exit(&self, client: &ClientId) {
        let mut connections = self.connections.lock();
        let gone = connections.remove(client);
        let is_empty = connections.is_empty();
        // A burst's table is given back.
        if connections.len() < connections.capacity() / 4 {
            let half = connections.capacity() / 2;
            connections.shrink_to(half);
        }
        drop(connections);
        // The app's value may be the last of its kind, and do what it likes when it is dropped.
        drop(gone);
        if is_empty {
            self.emptied.notify_waiters();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.connections.lock().len()
    }

    pub(crate) fn contexts(&self) -> Vec<Context<C>> {
        let connections = self.connections.lock();
        let guests: Vec<_> = connections.values().map(|here| here.guest.clone()).collect();
        drop(connections);
        guests.iter().map(Guest::context).collect()
    }

    pub(crate) fn is_shut_down(&self) -> bool {
        self.is_shut_down.load(Ordering::SeqCst)
    }

    /// Lets no one in any more, and asks everyone to go.
    pub(crate) fn shutdown(&self) {
        self.is_shut_down.store(true, Ordering::SeqCst);
        for here in self.connections.lock().values() {
            here.mailbox.close(GOING_AWAY);
        }
    }

    /// Resolves when no one is left.
    pub(crate) async fn drained(&self) {
        loop {
            let mut emptied = std::pin::pin!(self.emptied.notified());
            emptied.as_mut().enable();
            if self.len() == 0 {
                return;
            }
            emptied.await;
        }
    }
}

/// One connection's place among those that there are.
pub(crate) struct Stay<C> {
    open: Arc<Open<C>>,
    client: ClientId,
}

impl<C> Drop for Stay<C> {
    fn drop(&mut self) {
        metrics::gauge!("zocket_connections").decrement(1.0);
        self.open.exit(&self.client);
    }
}
