//! Questions to all nodes, and their answers.
//!
//! A node answers in parts, each of which fits into a message, in any order. A node whose parts contradict each other, or are
//! too many, is missing. Its answer is given as a whole or not at all.

use std::{
    collections::{HashMap, HashSet},
    fmt, mem,
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{sync::Notify, time::timeout};
use uuid::Uuid;
use zocket_layers::ClientId;

/// Time after which an answer is given without the nodes that have not answered.
const PATIENCE: Duration = Duration::from_secs(1);
/// Clients in the answer of one node.
const MAX_CLIENTS: usize = if cfg!(test) { 100 } else { 1 << 20 };
/// Clients in all answers that are kept at the same time.
const MAX_KEPT: usize = if cfg!(test) { 150 } else { 1 << 24 };

#[derive(Debug, Default)]
pub(super) struct Queries(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    last: u64,
    open: HashMap<u64, Open>,
    /// Clients in the answers of all open questions.
    kept: usize,
}

#[derive(Debug)]
struct Open {
    waits_for: HashMap<Uuid, Parts>,
    /// Nodes whose answers can't be used.
    missing: Vec<Uuid>,
    /// Clients in the answers that are complete.
    clients: Vec<ClientId>,
    changed: Arc<Notify>,
}

/// Parts of a node's answer that have come. Nothing is allocated for those that are announced.
#[derive(Debug, Default)]
struct Parts {
    of: usize,
    seen: HashSet<usize>,
    clients: Vec<ClientId>,
}

/// Reason why the answer of a node is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unusable {
    /// The parts of an answer contradict each other, or one came twice.
    Contradictory,
    TooLarge,
}

/// A question that waits for answers. Dropping it gives it up.
pub(super) struct Query {
    id: u64,
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
}

impl Queries {
    /// Begins a question to these nodes.
    pub(super) fn begin(&self, nodes: &[Uuid]) -> Query {
        let changed = Arc::new(Notify::new());
        let mut state = self.0.lock();
        state.last += 1;
        let id = state.last;
        let open = Open {
            waits_for: nodes.iter().map(|node| (*node, Parts::default())).collect(),
            missing: Vec::new(),
            clients: Vec::new(),
            changed: changed.clone(),
        };
        state.open.insert(id, open);
        Query {
            id,
            state: self.0.clone(),
            changed,
        }
    }

    /// Records a part of a node's answer: its index and the number of parts.
    ///
    /// # Errors
    /// If the node is missing from now on. A part that nobody waits for is no error: it may have come too late.
    pub(super) fn answered(
        &self,
        id: u64,
        node: Uuid,
        (part, of): (usize, usize),
        clients: Vec<ClientId>,
    ) -> Result<(), Unusable> {
        let mut state = self.0.lock();
        let State { open, kept, .. } = &mut *state;
        let Some(open) = open.get_mut(&id) else {
            return Ok(());
        };
        let Some(parts) = open.waits_for.get_mut(&node) else {
            return Ok(());
        };
        let added = clients.len();
        let taken = match *kept + added > MAX_KEPT {
            true => Err(Unusable::TooLarge),
            false => parts.take((part, of), clients),
        };
        match taken {
            Ok(()) => {
                *kept += added;
                if parts.seen.len() < of {
                    return Ok(());
                }
                let clients = mem::take(&mut parts.clients);
                open.waits_for.remove(&node);
                open.clients.extend(clients);
            }
            Err(_) => {
                *kept -= parts.clients.len();
                open.waits_for.remove(&node);
                open.missing.push(node);
            }
        }
        open.changed.notify_one();
        taken
    }

    /// No longer waits for a node that is gone. Its clients are gone, too.
    pub(super) fn forget(&self, node: Uuid) {
        let mut state = self.0.lock();
        let State { open, kept, .. } = &mut *state;
        for open in open.values_mut() {
            if let Some(parts) = open.waits_for.remove(&node) {
                *kept -= parts.clients.len();
                open.changed.notify_one();
            }
        }
    }
}

impl State {
    fn end(&mut self, id: u64) -> Option<Open> {
        let open = self.open.remove(&id)?;
        let incomplete = open.waits_for.values().map(|parts| parts.clients.len());
        self.kept -= open.clients.len() + incomplete.sum::<usize>();
        Some(open)
    }
}

impl Parts {
    fn take(&mut self, (part, of): (usize, usize), clients: Vec<ClientId>) -> Result<(), Unusable> {
        let is_first = self.seen.is_empty();
        // Each of several parts has clients, so that a limit of clients is one of parts, too.
        let is_valid = part < of && (is_first || self.of == of) && (of == 1 || !clients.is_empty());
        if !is_valid || !self.seen.insert(part) {
            return Err(Unusable::Contradictory);
        }
        if self.clients.len() + clients.len() > MAX_CLIENTS {
            return Err(Unusable::TooLarge);
        }
        self.of = of;
        self.clients.extend(clients);
        Ok(())
    }
}

impl Query {
    pub(super) const fn id(&self) -> u64 {
        self.id
    }

    /// Waits for the answers. Returns the clients in them, and the nodes that have not answered.
    pub(super) async fn answers(self) -> (Vec<ClientId>, Vec<Uuid>) {
        let complete = async {
            while !self.is_complete() {
                self.changed.notified().await;
            }
        };
        // Without an answer in time, its node is missing.
        let _ = timeout(PATIENCE, complete).await;
        let open = self.state.lock().end(self.id);
        open.map_or_else(Default::default, |open| {
            let Open {
                waits_for,
                mut missing,
                clients,
                ..
            } = open;
            missing.extend(waits_for.into_keys());
            (clients, missing)
        })
    }

    fn is_complete(&self) -> bool {
        let state = self.state.lock();
        state
            .open
            .get(&self.id)
            .is_none_or(|open| open.waits_for.is_empty())
    }
}

impl Drop for Query {
    fn drop(&mut self) {
        self.state.lock().end(self.id);
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Contradictory => f.write_str("the parts of an answer contradict each other"),
            Self::TooLarge => write!(
                f,
                "expected answers of at most {MAX_CLIENTS} clients, and {MAX_KEPT} at the same time, got more"
            ),
        }
    }
}

#[cfg(test)]
mod tests;
