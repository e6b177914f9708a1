//! What goes out to clients: declared types, encoded once.

use std::{collections::HashSet, fmt, sync::Arc};

use bytes::Bytes;
use parking_lot::RwLock;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{Code, Error, FrameHeader};

/// A message that the server sends of its own accord. Its name is part of the contract.
///
/// ```
/// use schemars::JsonSchema;
/// use serde::Serialize;
/// use zocket_layers::Outgoing;
///
/// /// A line of chat, as everyone in the room sees it.
/// #[derive(Serialize, JsonSchema)]
/// struct Said {
///     text: String,
///     from: String,
/// }
///
/// impl Outgoing for Said {
///     const TYPE: &'static str = "chat.message";
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no outgoing message",
    label = "needs `impl Outgoing for {Self} {{ const TYPE: &'static str = \"…\"; }}`, `#[derive(Serialize, JsonSchema)]`"
)]
pub trait Outgoing: Serialize + JsonSchema {
    /// The full dotted name, as it stands in a frame's `type`.
    const TYPE: &'static str;
}

/// An outgoing message in the bytes that every receiver gets, a whole WebSocket frame: what a server sends is not masked,
/// and so the same for all. Cheap to clone: receivers share them.
#[derive(Clone)]
pub struct Event {
    event_type: &'static str,
    wire: Bytes,
    /// Where the payload begins in it.
    header: usize,
}

impl Event {
    /// Encodes a message as the JSON text frame `{"type":…,"payload":…}`.
    ///
    /// # Errors
    /// INTERNAL_SERVER_ERROR when the value can't be written as JSON (a map with keys that are no strings, a
    /// failing `Serialize`).
    pub fn json<O: Outgoing>(message: &O) -> Result<Self, Error> {
        #[derive(Serialize)]
        struct Frame<'a, O> {
            r#type: &'static str,
            payload: &'a O,
        }
        // The header comes in front when the length is known.
        let mut wire = vec![0; FrameHeader::MAX];
        serde_json::to_writer(
            &mut wire,
            &Frame {
                r#type: O::TYPE,
                payload: message,
            },
        )
        .map_err(|error| Error::internal(format!("event `{}` can't be encoded: {error}", O::TYPE)))?;
        let header = FrameHeader::text(wire.len() - FrameHeader::MAX);
        let begin = FrameHeader::MAX - header.len();
        wire[begin..FrameHeader::MAX].copy_from_slice(&header);
        Ok(Self {
            event_type: O::TYPE,
            wire: Bytes::from(wire).slice(begin..),
            header: header.len(),
        })
    }

    /// The message's name.
    #[must_use]
    pub fn event_type(&self) -> &'static str {
        self.event_type
    }

    /// The message as clients get it, UTF-8: the frame's payload.
    #[must_use]
    pub fn frame(&self) -> &[u8] {
        &self.wire[self.header..]
    }

    /// The whole WebSocket frame, header and payload, as it is written to a socket.
    #[must_use]
    pub fn wire(&self) -> &Bytes {
        &self.wire
    }

    /// What this event counts for in a queue that is bounded in bytes.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.frame().len() + 64
    }
}

/// The event's name and its frame as text.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Event({})", String::from_utf8_lossy(self.frame()))
    }
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.wire == other.wire
    }
}

/// Which messages the app's routers declare, and how large outgoing ones may be. Until a router has been
/// served, everything may be sent.
#[derive(Debug, Clone, Default)]
pub struct Declared(Arc<RwLock<Names>>);

#[derive(Debug, Default)]
struct Names {
    outgoing: Option<HashSet<&'static str>>,
    routes: HashSet<String>,
}

impl Declared {
    /// Adds the outgoing messages of one more router.
    pub fn extend(&self, types: impl IntoIterator<Item = &'static str>) {
        self.0.write().outgoing.get_or_insert_default().extend(types);
    }

    /// Adds the routes of one more router.
    pub fn extend_routes<R: Into<String>>(&self, routes: impl IntoIterator<Item = R>) {
        self.0.write().routes.extend(routes.into_iter().map(Into::into));
    }

    /// Whether a router has this route.
    pub(crate) fn has_route(&self, route: &str) -> bool {
        self.0.read().routes.contains(route)
    }

    /// Encodes a message that may be sent.
    ///
    /// # Errors
    /// INTERNAL_SERVER_ERROR for one that no router declares or that can't be encoded, PAYLOAD_TOO_LARGE for
    /// one whose frame has more than `limit` bytes.
    pub(crate) fn encode<O: Outgoing>(&self, message: &O, limit: usize) -> Result<Event, Error> {
        if self
            .0
            .read()
            .outgoing
            .as_ref()
            .is_some_and(|declared| !declared.contains(O::TYPE))
        {
            let detail = format!(
                "event `{event}` is not declared: add `.outgoing::<{rust}>()` to the router",
                event = O::TYPE,
                rust = std::any::type_name::<O>(),
            );
            tracing::error!("{detail}");
            return Err(Error::internal(detail));
        }
        let event = Event::json(message)?;
        if event.frame().len() > limit {
            let size = event.frame().len();
            let message = format!(
                "event `{}` has {size} bytes, more than the {limit} of Limits::message",
                O::TYPE
            );
            tracing::error!("{message}");
            return Err(Error::new(Code::PAYLOAD_TOO_LARGE, message));
        }
        Ok(event)
    }
}
