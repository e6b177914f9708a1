use std::{
    sync::Arc,
    task::{Context as Task, Poll},
};

use tower::{BoxError, Service};

use super::FanoutFuture;
use crate::{Hub, Message, Reply};

/// The service of [`FanoutLayer`](super::FanoutLayer).
#[derive(Debug, Clone)]
pub struct FanoutService<S> {
    inner: S,
    hub: Arc<dyn Hub>,
    atomic: bool,
}

impl<S> FanoutService<S> {
    pub(super) const fn new(inner: S, hub: Arc<dyn Hub>, atomic: bool) -> Self {
        Self { inner, hub, atomic }
    }
}

impl<S, P, C> Service<Message<P, C>> for FanoutService<S>
where
    S: Service<Message<P, C>, Response = Reply>,
    S::Error: Into<BoxError>,
{
    type Response = Reply;
    type Error = BoxError;
    type Future = FanoutFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, message: Message<P, C>) -> Self::Future {
        let client = message.parts().connection.client_id();
        let outbox = message.parts().outbox.clone();
        if !self.atomic {
            outbox.pass(client, &self.hub);
        }
        FanoutFuture::new(self.inner.call(message), outbox, client, self.hub.clone())
    }
}
