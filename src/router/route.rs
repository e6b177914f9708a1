//! Routes: stacks of any type behind one type.

use std::{
    error::Error as StdError,
    fmt,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context as Task, Poll, Waker, ready},
};

use pin_project::pin_project;
use tokio::task::unconstrained;
use tower::{BoxError, Service};
use zocket_layers::{
    Error, Message, Reply,
    internal::{polled_after_completion, undeclared},
};

use super::refusals::{DeclaredRefusal, Refuser};

/// The service of one route, around which [`Router::layer`](crate::Router::layer) puts its layers. This tower service
/// is always ready: its future awaits the readiness of its own stack. Cheap to clone.
#[derive(Clone)]
pub struct Route(Arc<dyn ErasedService>);

/// Future of a route. No other future on a message's path is boxed.
pub(crate) type RouteFuture = Pin<Box<dyn Future<Output = Result<Reply, BoxError>> + Send>>;

trait ErasedService: Send + Sync {
    fn run(&self, message: Message) -> RouteFuture;
}

impl Route {
    /// Creates a route of a procedure, which may refuse as it declares, and with the codes of the protocol.
    pub(super) fn of_procedure<S>(service: S, declared: &[DeclaredRefusal]) -> Self
    where
        S: Service<Message, Response = Reply> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
    {
        Self::new(service, Refuser::Procedure, declared)
    }

    /// Creates a route of a procedure and the layers around it. Layers may refuse with any code. Under one that the
    /// procedure declares, the data has to be the declared one, since clients rely on it.
    pub(super) fn of_layers<S>(service: S, declared: &[DeclaredRefusal]) -> Self
    where
        S: Service<Message, Response = Reply> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
    {
        Self::new(service, Refuser::Layer, declared)
    }

    fn new<S>(service: S, refuser: Refuser, declared: &[DeclaredRefusal]) -> Self
    where
        S: Service<Message, Response = Reply> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
    {
        let declared = (!declared.is_empty()).then(|| declared.into());
        Self(Arc::new(Checked {
            service,
            refusals: Refusals { refuser, declared },
        }))
    }

    /// Handles one message.
    pub(crate) fn run(&self, message: Message) -> RouteFuture {
        self.0.run(message)
    }
}

/// The refusals that a stack may answer with.
#[derive(Clone)]
pub(crate) struct Refusals {
    pub(crate) refuser: Refuser,
    /// None if none is declared, so that a route without does not count references.
    pub(crate) declared: Option<Arc<[DeclaredRefusal]>>,
}

/// A route's stack, and the refusals that it may answer with.
struct Checked<S> {
    service: S,
    refusals: Refusals,
}

impl<S> ErasedService for Checked<S>
where
    S: Service<Message, Response = Reply> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
{
    fn run(&self, message: Message) -> RouteFuture {
        let mut service = self.service.clone();
        // Most stacks are ready at once. If not, the future polls the stack again and registers its own waker.
        let state = match poll_ready(&mut service, &mut Task::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => State::Called(service.call(message)),
            Poll::Ready(Err(error)) => State::Failed(Some(error.into())),
            Poll::Pending => State::Waiting {
                service,
                message: Some(message),
            },
        };
        Box::pin(CheckedFuture {
            state,
            refusals: self.refusals.clone(),
        })
    }
}

/// Future that awaits a stack's readiness, if it was not ready at once, and then calls the stack. A refusal that is not
/// declared becomes an internal error.
///
/// An `async fn` would be plainer, but would hold service, message and the called future side by side. That doubles the
/// size of the value that is moved into the box for each message.
#[pin_project]
struct CheckedFuture<S: Service<Message>> {
    #[pin]
    state: State<S, S::Future>,
    refusals: Refusals,
}

#[pin_project(project = StateProjection)]
enum State<S, F> {
    Waiting {
        service: S,
        /// `None` once the service has been called.
        message: Option<Message>,
    },
    Called(#[pin] F),
    Failed(Option<BoxError>),
}

/// Polls readiness outside of tokio's cooperative budget. A layer that sheds load would mistake a used-up budget for a
/// lack of permits.
fn poll_ready<S: Service<Message>>(service: &mut S, cx: &mut Task<'_>) -> Poll<Result<(), S::Error>> {
    pin!(unconstrained(poll_fn(|cx| service.poll_ready(cx)))).poll(cx)
}

impl<S> Future for CheckedFuture<S>
where
    S: Service<Message, Response = Reply>,
    S::Error: Into<BoxError>,
{
    type Output = Result<Reply, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let result = match this.state.as_mut().project() {
                StateProjection::Waiting { service, message } => {
                    match (ready!(poll_ready(service, cx)), message.take()) {
                        (Ok(()), Some(message)) => {
                            let future = service.call(message);
                            this.state.set(State::Called(future));
                            continue;
                        }
                        (Ok(()), None) => polled_after_completion("RouteFuture"),
                        (Err(error), _) => Err(error.into()),
                    }
                }
                StateProjection::Called(future) => ready!(future.poll(cx)).map_err(Into::into),
                StateProjection::Failed(error) => match error.take() {
                    Some(error) => Err(error),
                    None => polled_after_completion("RouteFuture"),
                },
            };
            return Poll::Ready(result.map_err(|error| check(error, this.refusals)));
        }
    }
}

/// Converts a refusal that is not declared to an internal error, because one that no client can know is a mistake in the
/// server.
pub(crate) fn check(error: BoxError, refusals: &Refusals) -> BoxError {
    let Refusals { refuser, declared } = refusals;
    if *refuser == Refuser::Layer && declared.is_none() {
        return error;
    }
    // A layer may have wrapped the error. The client gets the refusal of the cause in that case as well.
    let mut causes = std::iter::successors(Some(&*error as &(dyn StdError + 'static)), |cause| {
        (*cause).source()
    });
    let refusal = causes.find_map(|cause| cause.downcast_ref::<Error>());
    let declared = declared.as_deref().unwrap_or_default();
    match refusal.and_then(|refusal| refuser.mistake(refusal, declared)) {
        Some(mistake) => undeclared(mistake, error).into(),
        None => error,
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
