//! Questions to all nodes, and their answers.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{sync::Notify, time::timeout};
use uuid::Uuid;
use zocket_layers::ClientId;

/// Time after which an answer is given without the nodes that have not answered.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Queries(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    last: u64,
    open: HashMap<u64, Open>,
}

#[derive(Debug)]
struct Open {
    waits_for: HashSet<Uuid>,
    answers: Vec<Vec<ClientId>>,
    changed: Arc<Notify>,
}

/// A question that waits for answers. Dropping it gives it up.
pub(super) struct Query {
    id: u64,
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
}

impl Queries {
    /// Begins a question to these nodes.
    pub(super) fn begin(&self, nodes: Vec<Uuid>) -> Query {
        let changed = Arc::new(Notify::new());
        let mut state = self.0.lock();
        state.last += 1;
        let id = state.last;
        let open = Open {
            waits_for: nodes.into_iter().collect(),
            answers: Vec::new(),
            changed: changed.clone(),
        };
        state.open.insert(id, open);
        Query {
            id,
            state: self.0.clone(),
            changed,
        }
    }

    /// Records the answer of a node.
    pub(super) fn answered(&self, id: u64, node: Uuid, clients: Vec<ClientId>) {
        let mut state = self.0.lock();
        let Some(open) = state.open.get_mut(&id) else {
            return;
        };
        if open.waits_for.remove(&node) {
            open.answers.push(clients);
            open.changed.notify_one();
        }
    }
}

impl Queries {
    /// No longer waits for a node that is gone. Its clients are gone, too.
    pub(super) fn forget(&self, node: Uuid) {
        for open in self.0.lock().open.values_mut() {
            if open.waits_for.remove(&node) {
                open.changed.notify_one();
            }
        }
    }
}

impl Query {
    pub(super) const fn id(&self) -> u64 {
        self.id
    }

    /// Waits for the answers. Returns them, and the nodes that have not answered.
    pub(super) async fn answers(self) -> (Vec<Vec<ClientId>>, Vec<Uuid>) {
        let complete = async {
            while !self.is_complete() {
                self.changed.notified().await;
            }
        };
        // Without an answer in time, its node is missing.
        let _ = timeout(PATIENCE, complete).await;
        let open = self.state.lock().open.remove(&self.id);
        open.map_or_else(Default::default, |open| {
            (open.answers, open.waits_for.into_iter().collect())
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
        self.state.lock().open.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn nodes_that_do_not_answer_in_time_are_named() {
        let queries = Queries::default();
        let [a, b] = [(); 2].map(|()| Uuid::new_v4());
        let query = queries.begin(vec![a, b]);
        let ann = ClientId::random();
        queries.answered(query.id(), a, vec![ann]);
        queries.answered(query.id(), a, vec![ClientId::random()]);
        queries.answered(query.id() + 1, b, vec![ClientId::random()]);
        let (answers, missing) = query.answers().await;
        assert_eq!(answers, [[ann]]);
        assert_eq!(missing, [b]);
        assert!(queries.0.lock().open.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_that_is_gone_is_not_waited_for() {
        let queries = Queries::default();
        let [a, b] = [(); 2].map(|()| Uuid::new_v4());
        let query = queries.begin(vec![a, b]);
        queries.answered(query.id(), a, Vec::new());
        queries.forget(b);
        let begun = tokio::time::Instant::now();
        let (answers, missing) = query.answers().await;
        assert_eq!((answers.len(), missing.len()), (1, 0));
        assert_eq!(begun.elapsed(), Duration::ZERO);
        drop(queries.begin(vec![a]));
        assert!(
            queries.0.lock().open.is_empty(),
            "a query that is dropped is given up"
        );
    }
}
