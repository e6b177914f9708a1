use std::{collections::HashSet, sync::Arc};

use parking_lot::RwLock;

use crate::{
    effect::{Event, Outgoing},
    error::{Code, Error},
    protocol::Form,
};

/// Events and routes that the app's routers declare. Until a router has declared its events, every event may be sent.
#[derive(Debug, Clone, Default)]
pub struct Declared(Arc<RwLock<Names>>);

#[derive(Debug, Default)]
struct Names {
    outgoing: Option<HashSet<&'static str>>,
    routes: HashSet<String>,
}

impl Declared {
    /// Adds the events that one more router declares. From the first call on, an event that no router declares is
    /// refused.
    pub fn extend(&self, types: impl IntoIterator<Item = &'static str>) {
        self.0.write().outgoing.get_or_insert_default().extend(types);
    }

    /// Adds the routes that one more router declares. Metrics label messages of any other route `unknown`.
    pub fn extend_routes<R: Into<String>>(&self, routes: impl IntoIterator<Item = R>) {
        self.0.write().routes.extend(routes.into_iter().map(Into::into));
    }

    /// Returns true if a router declares this route.
    pub(crate) fn has_route(&self, route: &str) -> bool {
        self.0.read().routes.contains(route)
    }

    /// Encodes an event, if it may be sent.
    ///
    /// # Errors
    /// INTERNAL_SERVER_ERROR if no router declares the event or it can't be encoded. PAYLOAD_TOO_LARGE if the content
    /// of its JSON frame has more than `limit` bytes.
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
        let event = Event::of(message)?;
        let size = event.frame(Form::BASE).len();
        if size > limit {
            let message = format!(
                "event `{}`: expected at most {limit} bytes (Limits::message), got {size}",
                O::TYPE
            );
            tracing::error!("{message}");
            return Err(Error::new(Code::PAYLOAD_TOO_LARGE, message));
        }
        Ok(event)
    }
}
