//! Questions of an app to one other node, and the answers to those of others.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Weak, atomic::Ordering},
    time::Duration,
};

use futures_util::FutureExt;
use parking_lot::Mutex;
use tokio::{
    sync::{Semaphore, oneshot},
    time::timeout,
};
use uuid::Uuid;
use zocket_layers::hub::{BoxFuture, Peers, Respond};

use super::{
    hub::{Cluster, NatsHub},
    note::Note,
};

/// Questions of other nodes that are answered at once. Those beyond it get no answer.
const ANSWERING: usize = 1 << 10;

pub(super) struct Questions {
    /// Name of this node, as tokens have it.
    name: Arc<str>,
    open: Mutex<Open>,
    responders: Mutex<Vec<Weak<dyn Respond>>>,
    answering: Arc<Semaphore>,
}

#[derive(Default)]
struct Open {
    last: u64,
    asked: HashMap<u64, Asked>,
}

/// A question that waits for its answer.
struct Asked {
    node: Uuid,
    answer: oneshot::Sender<Option<String>>,
}

/// Gives a question up when it is dropped.
struct Waiting<'a> {
    query: u64,
    questions: &'a Questions,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.questions.open.lock().asked.remove(&self.query);
    }
}

impl Questions {
    pub(super) fn new(node: Uuid) -> Self {
        Self {
            name: node.simple().to_string().into(),
            open: Mutex::default(),
            responders: Mutex::default(),
            answering: Arc::new(Semaphore::new(ANSWERING)),
        }
    }

    fn begin(&self, node: Uuid) -> (Waiting<'_>, oneshot::Receiver<Option<String>>) {
        let (sender, answer) = oneshot::channel();
        let mut open = self.open.lock();
        open.last += 1;
        let query = open.last;
        open.asked.insert(query, Asked { node, answer: sender });
        drop(open);
        let questions = self;
        (Waiting { query, questions }, answer)
    }

    /// Records an answer, if it is of the node that was asked.
    pub(super) fn told(&self, query: u64, node: Uuid, answer: Option<String>) {
        let mut open = self.open.lock();
        if open.asked.get(&query).is_some_and(|asked| asked.node == node)
            && let Some(asked) = open.asked.remove(&query)
        {
            // An error means that nobody waits any more.
            let _ = asked.answer.send(answer);
        }
    }

    /// No longer waits for a node that is gone.
    pub(super) fn forget(&self, node: Uuid) {
        self.open.lock().asked.retain(|_, asked| asked.node != node);
    }
}

/// Lets the apps of this node answer a question of another node.
pub(super) fn answer(cluster: &Arc<Cluster>, node: Uuid, query: u64, question: String) {
    let Ok(permit) = cluster.questions.answering.clone().try_acquire_owned() else {
        if let Some(omitted) = cluster.lines.unanswered.line() {
            tracing::warn!(%node, omitted, "another node was not answered: too many questions wait");
        }
        return;
    };
    let responders = cluster.questions.responders.lock().clone();
    // The answer may take a while, and does not keep the hub alive.
    let cluster = Arc::downgrade(cluster);
    tokio::spawn(async move {
        let from = node.simple().to_string();
        let mut answer = None;
        for responder in responders.iter().filter_map(Weak::upgrade) {
            let responding = responder.respond(&from, &question);
            // Not kept while it answers.
            drop(responder);
            answer = responding.await;
            if answer.is_some() {
                break;
            }
        }
        drop(permit);
        let Some(cluster) = cluster.upgrade() else { return };
        cluster.reply(node, Note::Told { query, answer });
    });
}

impl Peers for NatsHub {
    fn name(&self) -> Arc<str> {
        self.0.questions.name.clone()
    }

    fn knows(&self, node: &str) -> bool {
        let is_known = |node: &Uuid| self.0.nodes.lock().known().contains(node);
        // Without the engine, no question would arrive.
        self.0.is_connected.load(Ordering::Acquire) && node.parse().as_ref().is_ok_and(is_known)
    }

    fn ask<'a>(&'a self, node: &'a str, question: String, within: Duration) -> BoxFuture<'a, Option<String>> {
        async move {
            let node = node.parse().ok().filter(|_| self.knows(node))?;
            let (waiting, answer) = self.0.questions.begin(node);
            let query = waiting.query;
            let note = Note::Ask { query, question };
            self.0.queue.note(self.0.subjects.node(node), note).ok()?;
            timeout(within, answer).await.ok()?.ok()?
        }
        .boxed()
    }

    fn answer_with(&self, responder: Weak<dyn Respond>) {
        let mut responders = self.0.questions.responders.lock();
        responders.retain(|responder| responder.strong_count() > 0);
        responders.push(responder);
    }
}

impl fmt::Debug for Questions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Questions")
            .field("open", &self.open.lock().asked.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_node_that_was_asked_answers() {
        let [a, b] = [(); 2].map(|()| Uuid::new_v4());
        let questions = Questions::new(Uuid::new_v4());
        let (waiting, mut answer) = questions.begin(a);
        questions.told(waiting.query, b, Some("b".into()));
        questions.told(waiting.query + 1, a, Some("later".into()));
        answer.try_recv().unwrap_err();
        questions.told(waiting.query, a, Some("a".into()));
        questions.told(waiting.query, a, Some("again".into()));
        assert_eq!(answer.try_recv().unwrap().as_deref(), Some("a"));
    }

    #[test]
    fn a_question_ends_with_its_node_or_with_whoever_asks() {
        let [a, b] = [(); 2].map(|()| Uuid::new_v4());
        let questions = Questions::new(Uuid::new_v4());
        let (waiting, mut answer) = questions.begin(a);
        questions.forget(b);
        assert_eq!(answer.try_recv(), Err(oneshot::error::TryRecvError::Empty));
        questions.forget(a);
        assert_eq!(answer.try_recv(), Err(oneshot::error::TryRecvError::Closed));
        drop(waiting);
        drop(questions.begin(b));
        assert!(questions.open.lock().asked.is_empty());
    }
}
