use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::Mutex;
use tokio::sync::Notify;
use zocket_layers::{ClientId, Context, Mailbox};

use super::{ClientHandle, closes::GOING_AWAY, meter};

/// The connections of an app. Each is registered from the success of `on_connect` until `on_disconnect` has finished
/// and the closing handshake has ended.
pub(crate) struct ConnectionRegistry<C> {
    connections: Mutex<HashMap<ClientId, Entry<C>>>,
    is_shut_down: AtomicBool,
    /// Notified when the last connection is removed.
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
        // `shutdown` may have run before the insertion. Then it has not closed this connection.
        if self.is_shut_down() {
            mailbox.close(GOING_AWAY);
        }
        meter::connection_opened();
        Arc::new(RegistryGuard {
            registry: self.clone(),
            client,
        })
    }

    fn exit(&self, client: &ClientId) {
        let mut connections = self.connections.lock();
        let gone = connections.remove(client);
        let is_empty = connections.is_empty();
        // Frees the memory of a burst.
        if connections.len() < connections.capacity() / 4 {
            let half = connections.capacity() / 2;
            connections.shrink_to(half);
        }
        drop(connections);
        // Dropped only now that the lock is released: the app's value may run any code when it is dropped.
        drop(gone);
        if is_empty {
            self.emptied.notify_waiters();
        }
    }

    /// Returns the number of registered connections.
    pub(crate) fn len(&self) -> usize {
        self.connections.lock().len()
    }

    /// Returns a context for each registered connection, in no order.
    pub(crate) fn contexts(&self) -> Vec<Context<C>> {
        let connections = self.connections.lock();
        let handles: Vec<_> = connections.values().map(|entry| entry.handle.clone()).collect();
        drop(connections);
        handles.iter().map(ClientHandle::context).collect()
    }

    /// Returns true once [`shutdown`](Self::shutdown) has been called.
    pub(crate) fn is_shut_down(&self) -> bool {
        self.is_shut_down.load(Ordering::SeqCst)
    }

    /// Marks the app as shut down, so that it refuses new connections, and closes the open ones.
    pub(crate) fn shutdown(&self) {
        self.is_shut_down.store(true, Ordering::SeqCst);
        for entry in self.connections.lock().values() {
            entry.mailbox.close(GOING_AWAY);
        }
    }

    /// Waits until no connection is left.
    pub(crate) async fn drained(&self) {
        loop {
            let mut emptied = std::pin::pin!(self.emptied.notified());
            // Enabled before the check, so that a removal between the check and the wait still notifies.
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
        meter::connection_closed();
        self.registry.exit(&self.client);
    }
}
