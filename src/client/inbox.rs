//! Received events that wait for their streams.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    task::{Context as Task, Poll, Waker},
};

use bytes::Bytes;
use parking_lot::Mutex;

/// The unread events of one stream.
pub(super) struct Inbox(Mutex<Kept>);

struct Kept {
    payloads: VecDeque<Bytes>,
    capacity: usize,
    /// Events dropped since the stream last yielded a loss.
    lost: u64,
    ended: bool,
    waker: Option<Waker>,
}

/// The result of polling an inbox.
#[derive(Debug, PartialEq)]
pub(super) enum Found {
    Payload(Bytes),
    Lost(u64),
    End,
}

impl Inbox {
    pub(super) fn new(capacity: usize) -> Self {
        Self(Mutex::new(Kept {
            payloads: VecDeque::new(),
            capacity,
            lost: 0,
            ended: false,
            waker: None,
        }))
    }

    fn put(&self, payload: Bytes) {
        let mut kept = self.0.lock();
        if kept.payloads.len() == kept.capacity {
            kept.payloads.pop_front();
            kept.lost += 1;
        }
        kept.payloads.push_back(payload);
        let waker = kept.waker.take();
        drop(kept);
        waker.into_iter().for_each(Waker::wake);
    }

    fn end(&self) {
        let mut kept = self.0.lock();
        kept.ended = true;
        let waker = kept.waker.take();
        drop(kept);
        waker.into_iter().for_each(Waker::wake);
    }

    pub(super) fn poll(&self, cx: &mut Task<'_>) -> Poll<Found> {
        let mut kept = self.0.lock();
        if kept.lost > 0 {
            return Poll::Ready(Found::Lost(std::mem::take(&mut kept.lost)));
        }
        match kept.payloads.pop_front() {
            Some(payload) => Poll::Ready(Found::Payload(payload)),
            None if kept.ended => Poll::Ready(Found::End),
            None => {
                kept.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// The inboxes of all event streams, by event type. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Listeners(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    by_type: HashMap<&'static str, Vec<Arc<Inbox>>>,
    ended: bool,
}

impl Listeners {
    pub(super) fn add(&self, event_type: &'static str, inbox: Arc<Inbox>) {
        let mut inner = self.0.lock();
        if inner.ended {
            inbox.end();
        } else {
            inner.by_type.entry(event_type).or_default().push(inbox);
        }
    }

    pub(super) fn remove(&self, event_type: &'static str, inbox: &Arc<Inbox>) {
        let mut inner = self.0.lock();
        if let Some(inboxes) = inner.by_type.get_mut(event_type) {
            inboxes.retain(|other| !Arc::ptr_eq(other, inbox));
            if inboxes.is_empty() {
                inner.by_type.remove(event_type);
            }
        }
    }

    /// Puts a payload into each inbox of its type.
    pub(super) fn tell(&self, event_type: &str, payload: &Bytes) {
        let inner = self.0.lock();
        for inbox in inner.by_type.get(event_type).into_iter().flatten() {
            inbox.put(payload.clone());
        }
    }

    /// Ends all inboxes, and those that are added later at once.
    pub(super) fn end(&self) {
        let mut inner = self.0.lock();
        inner.ended = true;
        for inbox in std::mem::take(&mut inner.by_type).into_values().flatten() {
            inbox.end();
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.lock().by_type.values().map(Vec::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(inbox: &Inbox) -> Poll<Found> {
        inbox.poll(&mut Task::from_waker(Waker::noop()))
    }

    #[test]
    fn the_oldest_give_way_and_are_counted() {
        let inbox = Inbox::new(2);
        for payload in ["1", "2", "3", "4"] {
            inbox.put(payload.into());
        }
        inbox.end();
        assert_eq!(take(&inbox), Poll::Ready(Found::Lost(2)));
        assert_eq!(take(&inbox), Poll::Ready(Found::Payload("3".into())));
        assert_eq!(take(&inbox), Poll::Ready(Found::Payload("4".into())));
        assert_eq!(take(&inbox), Poll::Ready(Found::End));
    }

    #[test]
    fn one_type_is_told_and_one_inbox_removed() {
        let listeners = Listeners::default();
        let (one, other) = (Arc::new(Inbox::new(2)), Arc::new(Inbox::new(2)));
        listeners.add("a", one.clone());
        listeners.add("a", other.clone());
        listeners.remove("a", &one);
        listeners.tell("b", &"0".into());
        listeners.tell("a", &"1".into());
        assert_eq!(take(&one), Poll::Pending);
        assert_eq!(take(&other), Poll::Ready(Found::Payload("1".into())));
        assert_eq!(take(&other), Poll::Pending);
        assert_eq!(listeners.len(), 1);
        listeners.end();
        assert_eq!(take(&other), Poll::Ready(Found::End));
        listeners.add("a", one.clone());
        assert_eq!(take(&one), Poll::Ready(Found::End));
        assert_eq!(listeners.len(), 0);
    }
}
