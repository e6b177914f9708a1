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
use zocket_layers::{Code, Error, Message, Reply, internal::polled_after_completion};

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
    /// Creates a route whose stack may refuse with any code.
    pub(crate) fn new<S>(service: S) -> Self
    where
        S: Service<Message, Response = Reply> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
    {
        Self(Arc::new(CodeChecked {
            service,
            codes: Codes::Any,
        }))
    }

    /// Creates a route whose stack may refuse with `codes` and with the protocol's.
    pub(crate) fn with_codes<S>(service: S, codes: Vec<Code>) -> Self
    where
        S: Service<Message, Response = Reply> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
    {
        let codes = if codes.is_empty() {
            Codes::Protocol
        } else {
            Codes::Declared(codes.into())
        };
        Self(Arc::new(CodeChecked { service, codes }))
    }

    /// Handles one message.
    pub(crate) fn run(&self, message: Message) -> RouteFuture {
        self.0.run(message)
    }
}

/// The codes that a stack may refuse with.
#[derive(Clone)]
enum Codes {
    Any,
    Protocol,
    /// These codes and the protocol's.
    Declared(Arc<[Code]>),
}

/// A route's stack, and the codes that it may refuse with.
struct CodeChecked<S> {
    service: S,
    codes: Codes,
}

impl<S> ErasedService for CodeChecked<S>
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
        Box::pin(CodeCheckedFuture {
            state,
            codes: self.codes.clone(),
        })
    }
}

/// Future that awaits a stack's readiness, if it was not ready at once, and then calls the stack. A refusal with an
/// undeclared code becomes an internal error.
///
/// An `async fn` would be plainer, but would hold service, message and the called future side by side. That doubles the
/// size of the value that is moved into the box for each message.
#[pin_project]
struct CodeCheckedFuture<S: Service<Message>> {
    #[pin]
    state: State<S, S::Future>,
    codes: Codes,
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

impl<S> Future for CodeCheckedFuture<S>
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
            return Poll::Ready(result.map_err(|error| check_code(error, this.codes)));
        }
    }
}

/// Converts an undeclared code to an internal error, because a code that no client can know is a mistake in the server.
fn check_code(error: BoxError, codes: &Codes) -> BoxError {
    let declared: &[Code] = match codes {
        Codes::Any => return error,
        Codes::Protocol => &[],
        Codes::Declared(declared) => declared,
    };
    // A layer may have wrapped the error. The client gets the code of the cause in that case as well.
    let mut causes = std::iter::successors(Some(&*error as &(dyn StdError + 'static)), |cause| {
        (*cause).source()
    });
    match causes
        .find_map(|cause| cause.downcast_ref::<Error>())
        .map(Error::code)
    {
        Some(code) if !code.is_protocol() && !declared.contains(&code) => Error::internal(format!(
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
