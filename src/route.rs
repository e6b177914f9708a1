//! Routes: stacks of any type behind one type.

use std::{
    error::Error as StdError,
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Context as Task, Poll},
};

use tower::{BoxError, Service};
use zocket_layers::{Code, Error, Message, Reply};

/// What handles the messages of one route, as [`Router::layer`](crate::Router::layer) meets it: a tower service
/// that is always ready. Its own stack's readiness is awaited inside of its future. Cheap to clone.
#[derive(Clone)]
pub struct Route(Arc<dyn Stack>);

/// The one box on a message's way.
pub(crate) type RouteFuture = Pin<Box<dyn Future<Output = Result<Reply, BoxError>> + Send>>;

trait Stack: Send + Sync {
    fn run(&self, message: Message) -> RouteFuture;
}

impl Route {
    pub(crate) fn new<S>(service: S) -> Self
    where
        S: Service<Message, Response = Reply> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
    {
        Self(Arc::new(Layered(service)))
    }

    /// A route whose stack may refuse with `codes`, and with the protocol's.
    pub(crate) fn with_codes<S>(service: S, codes: Vec<Code>) -> Self
    where
        S: Service<Message, Response = Reply> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
    {
        Self(Arc::new(Declaring {
            service,
            codes: codes.into(),
        }))
    }

    /// Handles one message.
    pub(crate) fn run(&self, message: Message) -> RouteFuture {
        self.0.run(message)
    }
}

struct Layered<S>(S);

impl<S> Stack for Layered<S>
where
    S: Service<Message, Response = Reply> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
{
    fn run(&self, message: Message) -> RouteFuture {
        Box::pin(run(self.0.clone(), message))
    }
}

struct Declaring<S> {
    service: S,
    codes: Arc<[Code]>,
}

impl<S> Stack for Declaring<S>
where
    S: Service<Message, Response = Reply> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
{
    fn run(&self, message: Message) -> RouteFuture {
        let (service, codes) = (self.service.clone(), self.codes.clone());
        Box::pin(async move {
            run(service, message)
                .await
                .map_err(|error| check_code(error, &codes))
        })
    }
}

/// Awaits a stack's readiness, then calls it.
async fn run<S>(mut service: S, message: Message) -> Result<Reply, BoxError>
where
    S: Service<Message, Response = Reply>,
    S::Error: Into<BoxError>,
{
    // A used-up budget of tokio's would look like a lack of permits to a layer that sheds load.
    tokio::task::unconstrained(poll_fn(|cx| service.poll_ready(cx)))
        .await
        .map_err(Into::into)?;
    service.call(message).await.map_err(Into::into)
}

/// A code that no client can know of is a mistake of the server's.
fn check_code(error: BoxError, codes: &[Code]) -> BoxError {
    // A layer may have wrapped it: the client is told the cause all the same.
    let mut causes = std::iter::successors(Some(&*error as &(dyn StdError + 'static)), |cause| {
        (*cause).source()
    });
    match causes
        .find_map(|cause| cause.downcast_ref::<Error>())
        .map(Error::code)
    {
        Some(code) if !code.is_protocol() && !codes.contains(&code) => Error::internal(format!(
            "the procedure refused with `{code}` ({error}), which it does not declare: add `.code(..)` to it"
        ))
        .into(),
        _ => error,
    }
}

impl Service<Message> for Route {
    type Response = Reply;
    type Error = BoxError;
    type Future = RouteFuture;

    fn poll_ready(&mut self, _: &mut Task<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, message: Message) -> Self::Future {
        self.0.run(message)
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Route")
    }
}
