//! Streams of received events.

use std::{
    fmt,
    future::poll_fn,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context as Task, Poll, ready},
};

use futures_util::Stream;
use serde::de::DeserializeOwned;
use zocket_layers::internal::read_json;

use super::inbox::{Inbox, Listeners, Next};

/// A stream of the events of one type, from its creation on and across reconnections. Ends when the client is closed.
/// Dropping it unsubscribes.
///
/// The stream keeps up to [`Builder::event_buffer`](super::Builder::event_buffer) unread events. Beyond that, the
/// oldest are dropped, and the stream's next item is [`EventError::Lagged`]. Beside [`next`](Self::next), it implements
/// [`Stream`] for the adapters of futures-util.
pub struct Events<T> {
    event_type: &'static str,
    inbox: Arc<Inbox>,
    listeners: Listeners,
    of: PhantomData<fn() -> T>,
}

impl<T> Events<T> {
    pub(super) fn new(event_type: &'static str, capacity: usize, listeners: &Listeners) -> Self {
        let inbox = Arc::new(Inbox::new(capacity));
        listeners.add(event_type, inbox.clone());
        Self {
            event_type,
            inbox,
            listeners: listeners.clone(),
            of: PhantomData,
        }
    }
}

impl<T: DeserializeOwned> Events<T> {
    /// Waits for the next event. Returns `None` when the client is closed.
    pub async fn next(&mut self) -> Option<Result<T, EventError>> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    fn poll_event(&self, cx: &mut Task<'_>) -> Poll<Option<Result<T, EventError>>> {
        Poll::Ready(match ready!(self.inbox.poll(cx)) {
            Next::Payload(payload) => Some(read_json(&payload).map_err(EventError::Decode)),
            Next::Lost(events) => Some(Err(EventError::Lagged(events))),
            Next::End => None,
        })
    }
}

impl<T: DeserializeOwned> Stream for Events<T> {
    type Item = Result<T, EventError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Option<Self::Item>> {
        self.poll_event(cx)
    }
}

impl<T> Drop for Events<T> {
    fn drop(&mut self) {
        self.listeners.remove(self.event_type, &self.inbox);
    }
}

impl<T> fmt::Debug for Events<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("type", &self.event_type)
            .finish_non_exhaustive()
    }
}

/// An error in place of an event. The stream continues after it.
#[derive(Debug)]
#[non_exhaustive]
pub enum EventError {
    /// The stream was not read fast enough. This many events, the oldest, were dropped at this point.
    Lagged(u64),
    /// An event does not fit the type.
    Decode(serde_json::Error),
}

/// Writes the error without its source.
impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lagged(events) => {
                write!(f, "the stream fell behind and lost {events} events")
            }
            Self::Decode(_) => f.write_str("the event does not fit its type"),
        }
    }
}

impl std::error::Error for EventError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Decode(error) => Some(error),
            Self::Lagged(_) => None,
        }
    }
}
