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

use super::ClientHandle;

/// The open connections of an app, each from its `on_connect` to the end of its `on_disconnect`.
pub(crate) struct ConnectionRegistry<C> {
    connections: Mutex<HashMap<ClientId, Entry<C>>>,
    is_shut_down: AtomicBool,
    emptied: Notify,
}

struct Entry<C> {
    mailbox: Arc<Mailbox>,
    handle: ClientHandle<C>,
}

impl<C> Default for ConnectionRegistry<C> {
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

impl<C> ConnectionRegistry<C> {
    /// Registers a connection, until the last clone of the guard is dropped.
    pub(super) fn enter(
        self: &Arc<Self>,
        mailbox: Arc<Mailbox>,
        handle: ClientHandle<C>,
    ) -> Arc<RegistryGuard<C>> {
        let client = mailbox.client_id();
        let entry = Entry {
            mailbox: mailbox.clone(),
            handle,
        };
        self.connections.lock().insert(client, entry);
        // A connection that came during `shutdown` is not missed.
        if self.is_shut_down() {
            mailbox.close(GOING_AWAY);
        }
        metrics::counter!("zocket_connections_total").increment(1);
        metrics::gauge!("zocket_connections").increment(1.0);
        Arc::new(RegistryGuard {
            registry: self.clone(),
            client,
        })
    }

    fn exit(&self, client: &ClientId) {
        let mut connections = self.connections.lock();
        let gone = connections.remove(client);
        let is_empty = connections.is_empty();
        // Returns the memory of a burst.
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
        let handles: Vec<_> = connections.values().map(|entry| entry.handle.clone()).collect();
        drop(connections);
        handles.iter().map(ClientHandle::context).collect()
    }

    pub(crate) fn is_shut_down(&self) -> bool {
        self.is_shut_down.load(Ordering::SeqCst)
    }

    /// Refuses new connections, and closes the open ones.
    pub(crate) fn shutdown(&self) {
        self.is_shut_down.store(true, Ordering::SeqCst);
        for entry in self.connections.lock().values() {
            entry.mailbox.close(GOING_AWAY);
        }
    }

    /// Resolves when no connection is left.
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

/// Keeps a connection registered until its last clone is dropped.
pub(crate) struct RegistryGuard<C> {
    registry: Arc<ConnectionRegistry<C>>,
    client: ClientId,
}

impl<C> Drop for RegistryGuard<C> {
    fn drop(&mut self) {
        metrics::gauge!("zocket_connections").decrement(1.0);
        self.registry.exit(&self.client);
    }
}
