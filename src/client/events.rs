//! Events as a stream.

use std::{
    fmt,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context as Task, Poll, ready},
};

use futures_util::Stream;
use serde::de::DeserializeOwned;

use super::inbox::{Found, Inbox, Listeners};

/// The events of one type, from when it was made on, over all connections. Ends when the client does. Dropping it
/// unsubscribes.
///
/// It keeps [`Builder::event_buffer`](super::Builder::event_buffer) events that were not taken yet; then the oldest
/// give way, and the stream's next item is [`EventError::Lagged`].
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

impl<T: DeserializeOwned> Stream for Events<T> {
    type Item = Result<T, EventError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(match ready!(self.inbox.poll(cx)) {
            Found::Payload(payload) => Some(serde_json::from_slice(&payload).map_err(EventError::Decode)),
            Found::Lost(events) => Some(Err(EventError::Lagged(events))),
            Found::End => None,
        })
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

/// Why a stream has no event. The stream goes on.
#[derive(Debug)]
#[non_exhaustive]
pub enum EventError {
    /// So many events were lost here, the oldest, as they were not taken fast enough.
    Lagged(u64),
    /// An event does not fit the type.
    Decode(serde_json::Error),
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lagged(events) => {
                write!(f, "{events} events were lost, as they were not taken fast enough")
            }
            Self::Decode(error) => write!(f, "an event is not what was expected: {error}"),
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
