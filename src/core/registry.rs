use std::{mem, sync::Arc};

use indexmap::IndexMap;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use zocket_layers::{ClientId, Context, Mailbox, internal};

use super::{AppLimits, ClientHandle, Ending, Stage, contain::drop_contained, meter};

/// The connections of an app. Each is registered from the success of `on_connect` until `on_disconnect` has finished
/// and the closing handshake has ended. The registry also counts the calls of `on_connect` that are under way.
pub(crate) struct ConnectionRegistry<C> {
    entries: Mutex<Entries<C>>,
    phase: watch::Sender<Phase>,
    /// Notified when the last connection and the last call of `on_connect` have ended.
    emptied: Notify,
}

struct Entries<C> {
    /// Of an order that no random hash decides, so that a simulated shutdown takes the same course each time.
    connections: IndexMap<ClientId, Entry<C>>,
    /// Calls of `on_connect` that are under way.
    attempts: usize,
    /// True from the first handshake that a limit refuses until the next one that is admitted. So the log has one line
    /// each time a limit is reached.
    is_full: bool,
    /// True if the app shuts down to start again.
    restarts: bool,
}

struct Entry<C> {
    handle: ClientHandle<C>,
    /// `None` until the socket is open.
    mailbox: Option<Arc<Mailbox>>,
    ending: Arc<Ending>,
}

impl<C> Entry<C> {
    /// Advances the connection to a stage of its end, and wakes its task.
    fn advance(&self, stage: Stage, restarts: bool) {
        self.ending.advance(stage, restarts);
        if let Some(mailbox) = &self.mailbox {
            internal::reader(mailbox).wake();
        }
    }
}

/// Phase of an app's shutdown. Phases are reached in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// The app accepts clients.
    Running,
    /// New clients are refused, and connections end.
    Draining,
    /// The rest is dropped.
    Cut,
}

impl<C> Default for ConnectionRegistry<C> {
    fn default() -> Self {
        Self {
            entries: Mutex::new(Entries {
                connections: IndexMap::new(),
                attempts: 0,
                is_full: false,
                restarts: false,
            }),
            phase: watch::Sender::new(Phase::Running),
            emptied: Notify::default(),
        }
    }
}

impl<C> ConnectionRegistry<C> {
    /// Counts a call of `on_connect`, until the attempt is dropped or has become a connection.
    ///
    /// # Errors
    /// The reason why no client is admitted now.
    pub(crate) fn attempt(self: &Arc<Self>, limits: &AppLimits) -> Result<Attempt<C>, NotAdmitted> {
        let mut entries = self.entries.lock();
        if self.phase() > Phase::Running {
            return Err(NotAdmitted::ShuttingDown);
        }
        let full = if entries.len() >= limits.connections {
            NotAdmitted::Connections
        } else if entries.attempts >= limits.handshakes {
            NotAdmitted::Handshakes
        } else {
            entries.attempts += 1;
            entries.is_full = false;
            return Ok(Attempt(Some(self.clone())));
        };
        let was_full = mem::replace(&mut entries.is_full, true);
        drop(entries);
        if !was_full {
            tracing::warn!(limit = ?full, "handshakes are refused: the app has reached a limit of AppLimits");
        }
        Err(full)
    }

    /// Counts a handshake of a client that comes back to its session, until the attempt is dropped. The session is counted
    /// among the connections already.
    ///
    /// # Errors
    /// The reason why no client is admitted now.
    pub(crate) fn attempt_to_resume(self: &Arc<Self>, limits: &AppLimits) -> Result<Attempt<C>, NotAdmitted> {
        let known = limits.clone().connections(usize::MAX);
        self.attempt(&known)
    }

    /// Registers the connection that an attempt has become, until the last clone of the guard is dropped.
    pub(super) fn enter(
        self: &Arc<Self>,
        mut attempt: Attempt<C>,
        handle: ClientHandle<C>,
    ) -> Arc<RegistryGuard<C>> {
        let client = handle.connection.client_id();
        let ending = Arc::new(Ending::default());
        let entry = Entry {
            handle,
            mailbox: None,
            ending: ending.clone(),
        };
        let mut entries = self.entries.lock();
        // `shutdown` may have run before the insertion. Then it has not advanced this connection.
        if self.phase() > Phase::Running {
            ending.advance(Stage::Close, entries.restarts);
        }
        entries.connections.insert(client, entry);
        // In one step with the insertion, so that the client never counts twice.
        entries.attempts -= usize::from(attempt.0.take().is_some());
        drop(entries);
        meter::connection_opened();
        Arc::new(RegistryGuard {
            registry: self.clone(),
            client,
            ending,
        })
    }

    fn exit(&self, client: &ClientId) {
        let mut entries = self.entries.lock();
        let connections = &mut entries.connections;
        let gone = connections.swap_remove(client);
        // Frees the memory of a burst.
        if connections.len() < connections.capacity() / 4 {
            let half = connections.capacity() / 2;
            connections.shrink_to(half);
        }
        self.notify_if_empty(&entries);
        drop(entries);
        // Dropped only now that the lock is released: the app's value may run any code when it is dropped, and panic.
        drop_contained(gone);
    }

    fn notify_if_empty(&self, entries: &Entries<C>) {
        if entries.len() == 0 {
            self.emptied.notify_waiters();
        }
    }

    /// Returns the number of registered connections.
    pub(crate) fn len(&self) -> usize {
        self.entries.lock().connections.len()
    }

    /// Returns a context for each registered connection whose socket is open, in no order.
    pub(crate) fn contexts(&self) -> Vec<Context<C>> {
        let entries = self.entries.lock();
        let open = entries
            .connections
            .values()
            .filter(|entry| entry.mailbox.is_some());
        let handles: Vec<_> = open.map(|entry| entry.handle.clone()).collect();
        drop(entries);
        handles.iter().map(ClientHandle::context).collect()
    }

    /// Returns a registered client.
    pub(crate) fn get(&self, client: &ClientId) -> Option<ClientHandle<C>> {
        let entries = self.entries.lock();
        entries.connections.get(client).map(|entry| entry.handle.clone())
    }

    /// Returns the phase of the app's shutdown.
    pub(crate) fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Waits until the app has reached this phase of its shutdown.
    pub(crate) async fn reached(&self, phase: Phase) {
        // The sender is a field of `self`, so the wait does not fail.
        let _ = self.phase.subscribe().wait_for(|reached| *reached >= phase).await;
    }

    /// Refuses new clients from now on, and begins the end of every connection.
    pub(super) fn drain(&self, restarts: bool) {
        let mut entries = self.entries.lock();
        entries.restarts = restarts;
        self.advance_phase(Phase::Draining);
        for entry in entries.connections.values() {
            entry.advance(Stage::Drain, restarts);
        }
    }

    fn advance_phase(&self, phase: Phase) {
        self.phase.send_if_modified(|reached| {
            let advances = *reached < phase;
            *reached = phase.max(*reached);
            advances
        });
    }

    /// Returns the clients whose connections are not asked to close yet.
    pub(super) fn to_close(&self) -> Vec<ClientId> {
        let entries = self.entries.lock();
        let draining = |entry: &Entry<C>| entry.ending.stage() < Stage::CloseWhenIdle;
        let clients = entries.connections.iter();
        clients
            .filter(|(_, entry)| draining(entry))
            .map(|(client, _)| *client)
            .collect()
    }

    /// Closes these clients' connections once no message of theirs is in flight.
    pub(super) fn close_when_idle(&self, clients: &[ClientId]) {
        let entries = self.entries.lock();
        for entry in clients
            .iter()
            .filter_map(|client| entries.connections.get(client))
        {
            entry.advance(Stage::CloseWhenIdle, entries.restarts);
        }
    }

    /// Closes every connection, whatever is in flight.
    pub(super) fn close(&self) {
        let entries = self.entries.lock();
        for entry in entries.connections.values() {
            entry.advance(Stage::Close, entries.restarts);
        }
    }

    /// Drops the handlers and sockets that are left. Returns the number of connections and of calls of `on_connect`.
    pub(super) fn cut(&self) -> usize {
        let entries = self.entries.lock();
        self.advance_phase(Phase::Cut);
        entries.len()
    }

    /// Waits until no connection is left, and no call of `on_connect` is under way.
    pub(super) async fn drained(&self) {
        loop {
            let mut emptied = std::pin::pin!(self.emptied.notified());
            // Enabled before the check, so that a removal between the check and the wait still notifies.
            emptied.as_mut().enable();
            if self.entries.lock().len() == 0 {
                return;
            }
            emptied.await;
        }
    }
}

impl<C> Entries<C> {
    fn len(&self) -> usize {
        self.connections.len() + self.attempts
    }
}

/// A call of `on_connect` that is under way. `None` once it has become a connection.
pub(crate) struct Attempt<C>(Option<Arc<ConnectionRegistry<C>>>);

impl<C> Drop for Attempt<C> {
    fn drop(&mut self) {
        if let Some(registry) = self.0.take() {
            let mut entries = registry.entries.lock();
            entries.attempts -= 1;
            registry.notify_if_empty(&entries);
        }
    }
}

/// The reason why the app admits no client now. A limit is named as in [`AppLimits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotAdmitted {
    ShuttingDown,
    Connections,
    Handshakes,
}

/// Keeps a connection registered until its last clone is dropped.
pub(crate) struct RegistryGuard<C> {
    registry: Arc<ConnectionRegistry<C>>,
    client: ClientId,
    ending: Arc<Ending>,
}

impl<C> RegistryGuard<C> {
    /// Records that the socket is open. Its task is woken by this mailbox.
    pub(super) fn open(&self, mailbox: Arc<Mailbox>) {
        if let Some(entry) = self.registry.entries.lock().connections.get_mut(&self.client) {
            entry.mailbox = Some(mailbox);
        }
    }

    /// Returns the progress of the app's shutdown for this connection.
    pub(super) const fn ending(&self) -> &Arc<Ending> {
        &self.ending
    }
}

impl<C> Drop for RegistryGuard<C> {
    fn drop(&mut self) {
        meter::connection_closed();
        self.registry.exit(&self.client);
    }
}
