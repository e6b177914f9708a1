//! The engine that connects nodes, as a tower service.

use std::sync::Arc;

use bytes::Bytes;
use tower::{BoxError, util::BoxService};

/// A request to an engine. A hub makes them one after the other, so that an engine keeps the order of what a node publishes.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum EngineRequest {
    /// Receives the messages of a subject from now on.
    Subscribe(Arc<str>),
    /// Ends a subscription.
    Unsubscribe(Arc<str>),
    /// Sends a message to the subscribers of a subject on other nodes.
    Publish {
        /// The subject.
        subject: Arc<str>,
        /// The message.
        payload: Bytes,
    },
    /// Waits until everything that was published has left this process.
    Flush,
}

/// An engine with the layers around it.
pub type BoxEngine = BoxService<EngineRequest, (), BoxError>;

/// Report of an engine to its hub.
#[doc(hidden)]
#[derive(Debug)]
#[non_exhaustive]
pub enum EngineEvent {
    /// A message of a subscription.
    Message {
        /// The subject of the subscription.
        subject: Arc<str>,
        /// The message.
        payload: Bytes,
    },
    /// The engine is there, and the subscriptions are made again.
    Connected,
    /// The engine is away.
    Disconnected,
    /// The engine accepts messages of this many bytes from now on.
    MaxPayload(usize),
    /// Messages of a subscription were dropped, since the hub did not take them in time.
    TooSlow,
}
