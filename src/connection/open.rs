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
use zocket_layers::{ClientId, Close, Mailbox};

/// The connections that there are, each from its `on_connect` to the end of its `on_disconnect`.
#[derive(Debug, Default)]
pub(crate) struct Open {
    mailboxes: Mutex<HashMap<ClientId, Arc<Mailbox>>>,
    is_shut_down: AtomicBool,
    emptied: Notify,
}

const GOING_AWAY: Close = Close {
    code: 1001,
    reason: std::borrow::Cow::Borrowed("going-away"),
};

impl Open {
    /// Counts a connection, until the last clone of what is returned is dropped.
    pub(super) fn enter(self: &Arc<Self>, mailbox: Arc<Mailbox>) -> Arc<Stay> {
        let client = mailbox.client_id();
        self.mailboxes.lock().insert(client, mailbox.clone());
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
        let mut mailboxes = self.mailboxes.lock();
        mailboxes.remove(client);
        if mailboxes.is_empty() {
            drop(mailboxes);
            self.emptied.notify_waiters();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.mailboxes.lock().len()
    }

    pub(crate) fn is_shut_down(&self) -> bool {
        self.is_shut_down.load(Ordering::SeqCst)
    }

    /// Lets no one in any more, and asks everyone to go.
    pub(crate) fn shutdown(&self) {
        self.is_shut_down.store(true, Ordering::SeqCst);
        for mailbox in self.mailboxes.lock().values() {
            mailbox.close(GOING_AWAY);
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
#[derive(Debug)]
pub(crate) struct Stay {
    open: Arc<Open>,
    client: ClientId,
}

impl Drop for Stay {
    fn drop(&mut self) {
        metrics::gauge!("zocket_connections").decrement(1.0);
        self.open.exit(&self.client);
    }
}
