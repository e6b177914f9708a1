//! Received events that wait for their streams.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    task::{Context as Task, Poll, Waker},
};

use bytes::Bytes;
use parking_lot::Mutex;

/// The unread events of one stream.
pub(super) struct Inbox(Mutex<State>);

struct State {
    payloads: VecDeque<Bytes>,
    capacity: usize,
    /// Events dropped since the stream was last notified of a loss.
    lost: u64,
    ended: bool,
    waker: Option<Waker>,
}

/// The result of polling an inbox.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    Payload(Bytes),
    Lost(u64),
    End,
}

impl Inbox {
    pub(super) fn new(capacity: usize) -> Self {
        Self(Mutex::new(State {
            payloads: VecDeque::new(),
            capacity,
            lost: 0,
            ended: false,
            waker: None,
        }))
    }

    /// Adds an event, and wakes the stream. A full inbox drops its oldest event.
    fn push(&self, payload: Bytes) {
        let mut state = self.0.lock();
        if state.payloads.len() == state.capacity {
            state.payloads.pop_front();
            state.lost += 1;
        }
        state.payloads.push_back(payload);
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }

    fn end(&self) {
        let mut state = self.0.lock();
        state.ended = true;
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }

    /// Polls for the next event. A loss is returned first, because the dropped events were the oldest.
    pub(super) fn poll(&self, cx: &mut Task<'_>) -> Poll<Next> {
        let mut state = self.0.lock();
        if state.lost > 0 {
            return Poll::Ready(Next::Lost(std::mem::take(&mut state.lost)));
        }
        match state.payloads.pop_front() {
            Some(payload) => Poll::Ready(Next::Payload(payload)),
            None if state.ended => Poll::Ready(Next::End),
            None => {
                state.waker = Some(cx.waker().clone());
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
    pub(super) fn dispatch(&self, event_type: &str, payload: &Bytes) {
        let inner = self.0.lock();
        for inbox in inner.by_type.get(event_type).into_iter().flatten() {
            inbox.push(payload.clone());
        }
    }

    /// Ends all inboxes. One that is added later ends at once.
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

    fn take(inbox: &Inbox) -> Poll<Next> {
        inbox.poll(&mut Task::from_waker(Waker::noop()))
    }

    #[test]
    fn a_full_inbox_drops_the_oldest_events_and_counts_them() {
        let inbox = Inbox::new(2);
        for payload in ["1", "2", "3", "4"] {
            inbox.push(payload.into());
        }
        inbox.end();
        assert_eq!(take(&inbox), Poll::Ready(Next::Lost(2)));
        assert_eq!(take(&inbox), Poll::Ready(Next::Payload("3".into())));
        assert_eq!(take(&inbox), Poll::Ready(Next::Payload("4".into())));
        assert_eq!(take(&inbox), Poll::Ready(Next::End));
    }

    #[test]
    fn an_event_reaches_the_inboxes_of_its_type_until_they_are_removed() {
        let listeners = Listeners::default();
        let (one, other) = (Arc::new(Inbox::new(2)), Arc::new(Inbox::new(2)));
        listeners.add("a", one.clone());
        listeners.add("a", other.clone());
        listeners.remove("a", &one);
        listeners.dispatch("b", &"0".into());
        listeners.dispatch("a", &"1".into());
        assert_eq!(take(&one), Poll::Pending);
        assert_eq!(take(&other), Poll::Ready(Next::Payload("1".into())));
        assert_eq!(take(&other), Poll::Pending);
        assert_eq!(listeners.len(), 1);
        listeners.end();
        assert_eq!(take(&other), Poll::Ready(Next::End));
        listeners.add("a", one.clone());
        assert_eq!(take(&one), Poll::Ready(Next::End));
        assert_eq!(listeners.len(), 0);
    }
}
