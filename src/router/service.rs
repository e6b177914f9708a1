//! Dispatch of messages to routes.

use std::{
    collections::HashMap,
    fmt,
    sync::Arc,
    task::{Context as Task, Poll},
};

use foldhash::fast::RandomState;
use tower::{BoxError, Service};
use zocket_layers::{Code, Error, Message, Reply, service::RefusableFuture};

use super::route::{Route, RouteFuture};

/// A route of a router. If it is `concurrent`, its messages give up their turn, so that the connection's next message
/// begins at once.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) route: Route,
    pub(super) concurrent: bool,
}

/// Dispatches each message to its route. It is always ready: the route's future awaits the route's readiness.
#[derive(Clone)]
pub struct RouterService {
    /// Routes by full path. Clients can only look up keys, not insert them, so the hash need not withstand chosen keys.
    pub(super) routes: Arc<HashMap<String, Entry, RandomState>>,
}

impl RouterService {
    /// Returns the routes' full paths.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.routes.keys().map(String::as_str)
    }
}

impl Service<Message> for RouterService {
    type Response = Reply;
    type Error = BoxError;
    type Future = RefusableFuture<RouteFuture>;

    fn poll_ready(&mut self, _: &mut Task<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, message: Message) -> Self::Future {
        let Some(entry) = self.routes.get(&**message.parts().route()) else {
            let route: String = message
                .parts()
                .route()
                .chars()
                .take(100)
                .flat_map(char::escape_debug)
                .collect();
            return RefusableFuture::refused(Error::new(Code::NOT_FOUND, format!("no route `{route}`")));
        };
        if entry.concurrent {
            message.parts().give_up_turn();
        }
        RefusableFuture::inner(entry.route.run(message))
    }
}

impl fmt::Debug for RouterService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouterService")
            .field("routes", &self.routes.len())
            .finish()
    }
}
