use std::task::{Context as Task, Poll};

use tower::{BoxError, Service};

use super::{
    RescueFuture,
    explain::{About, caught, explain, explain_failure},
};
use crate::{
    error::Error,
    message::{Message, Reply},
};

/// The service of [`RescueLayer`](super::RescueLayer).
///
/// A message's failure is an [`Outcome::Refused`](crate::Outcome), never an `Err`. An `Err` from `poll_ready` is passed
/// on, since in tower it means that the service has failed permanently. [`explain`](super::explain) maps it for the
/// messages that wait.
#[derive(Debug)]
pub struct RescueService<S> {
    inner: S,
    /// Set if `poll_ready` panicked. The next message is refused with it.
    panicked: Option<Error>,
}

impl<S> RescueService<S> {
    /// Wraps a service.
    pub const fn new(inner: S) -> Self {
        Self {
            inner,
            panicked: None,
        }
    }
}

impl<S: Clone> Clone for RescueService<S> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone())
    }
}

impl<S> Service<Message> for RescueService<S>
where
    S: Service<Message, Response = Reply>,
    S::Error: Into<BoxError>,
{
    type Response = crate::Outcome;
    type Error = BoxError;
    type Future = RescueFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), Self::Error>> {
        if self.panicked.is_some() {
            return Poll::Ready(Ok(()));
        }
        caught(|| self.inner.poll_ready(cx).map_err(Into::into)).unwrap_or_else(|panic| {
            self.panicked = Some(explain(panic));
            Poll::Ready(Ok(()))
        })
    }

    fn call(&mut self, message: Message) -> Self::Future {
        let about = About {
            route: message.parts().route().clone(),
            connection: message.parts().connection().clone(),
        };
        if let Some(error) = self.panicked.take() {
            return RescueFuture::refused(about, error);
        }
        match caught(|| self.inner.call(message)) {
            Ok(future) => RescueFuture::inner(about, future),
            Err(panic) => {
                let error = explain_failure(panic, Some(&about));
                RescueFuture::refused(about, error)
            }
        }
    }
}
