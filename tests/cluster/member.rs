//! A client of a node, without a socket.

use std::{future::poll_fn, sync::Arc, time::Duration};

use tokio::time::{sleep, timeout};
use zocket::{
    ClientId, Event, Hub, RawPayload, Target,
    cluster::NatsHub,
    layers::{
        Effect, Mailbox,
        hub::{ConnectOptions, Performed},
    },
};

/// Bound for a recovery on a machine that is busy with something else.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// A client of a node.
pub(crate) struct Member {
    node: Arc<NatsHub>,
    pub(crate) id: ClientId,
    pub(crate) mailbox: Arc<Mailbox>,
}

impl Member {
    pub(crate) fn of(node: &Arc<NatsHub>) -> Self {
        let id = node.new_client_id();
        let mailbox = node.connect(id, &ConnectOptions::default());
        Self {
            node: node.clone(),
            id,
            mailbox,
        }
    }

    pub(crate) async fn perform(&self, effect: Effect) {
        perform(&self.node, Some(&self.id), effect).await;
    }

    pub(crate) async fn join(&self, room: &str) {
        self.perform(Effect::Join(room.into())).await;
    }

    pub(crate) async fn leave(&self, room: &str) {
        self.perform(Effect::Leave(room.into())).await;
    }

    pub(crate) async fn say(&self, to: Target, number: u32) {
        self.perform(Effect::Emit {
            to,
            event: said(number),
        })
        .await;
    }

    /// Waits for so many events, and returns their numbers.
    pub(crate) async fn hear(&self, count: usize) -> Vec<u32> {
        let mut heard = Vec::new();
        let all = async {
            while heard.len() < count {
                poll_fn(|cx| self.mailbox.poll_notified(cx)).await;
                let mut events = Vec::new();
                self.mailbox.pull(&mut events);
                heard.extend(events.iter().map(number));
            }
        };
        let waited = timeout(PATIENCE, all).await;
        assert!(waited.is_ok(), "expected {count} events, got {heard:?}");
        heard
    }
}

pub(crate) async fn perform(node: &NatsHub, from: Option<&ClientId>, effect: Effect) {
    if let Performed::Pending(ticket) = node.perform(from, effect).unwrap() {
        timeout(PATIENCE, ticket)
            .await
            .expect("the effect stays pending")
            .unwrap();
    }
}

/// Waits until a node says that the room has so many members on all nodes.
pub(crate) async fn until_size(node: &NatsHub, room: &str, size: usize) {
    let mut last = node.size(room).await;
    let waited = timeout(PATIENCE, async {
        while last.value != size || !last.is_complete() {
            sleep(Duration::from_millis(10)).await;
            last = node.size(room).await;
        }
    });
    let waited = waited.await;
    assert!(waited.is_ok(), "{room}: expected {size} members, got {last:?}");
}

pub(crate) fn said(number: u32) -> Event {
    Event::from_payload("said", RawPayload::json(number.to_string())).unwrap()
}

pub(crate) fn number(event: &Event) -> u32 {
    serde_json::from_slice(event.payload().as_json()).unwrap()
}
