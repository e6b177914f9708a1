use std::{
    future::Future,
    mem,
    pin::Pin,
    task::{Context as Task, Poll, ready},
};

use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body::Body as HttpBody;
use http_body_util::{BodyExt, LengthLimitError, combinators::Collect};
use pin_project::pin_project;
use tower::{BoxError, Service};

use super::{
    carried::{Carried, CarriedResult},
    status::{retry_after, status_of},
};
use crate::{
    body::Body,
    error::{Code, Error},
    message::{Message, Reply},
    rescue::Cause,
    service::polled_after_completion,
};

/// Service inside an HTTP layer: turns the request back into the message, and the message's result into a response.
#[derive(Debug, Clone)]
pub struct InsideService<S> {
    inner: S,
}

impl<S> InsideService<S> {
    pub(super) const fn new(inner: S) -> Self {
        Self { inner }
    }
}

impl<S, B> Service<Request<B>> for InsideService<S>
where
    S: Service<Message, Response = Reply> + Clone,
    S::Error: Into<BoxError>,
    B: HttpBody,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = InsideFuture<S, B>;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        let Some(Carried { mut parts, payload }) = head.extensions.remove::<Carried>() else {
            let lost = "an HTTP layer has lost the extensions of a message's request";
            return InsideFuture {
                state: State::Lost(Some(Error::internal(lost))),
            };
        };
        head.extensions.insert(head.headers);
        parts.extensions = head.extensions;
        let fresh = self.inner.clone();
        let inner = mem::replace(&mut self.inner, fresh);
        InsideFuture {
            state: State::Reading {
                body: body.collect(),
                rest: Some((inner, Carried { parts, payload })),
            },
        }
    }
}

/// The future of [`InsideService`]: reads the request's body, then handles the message.
#[pin_project]
pub struct InsideFuture<S: Service<Message>, B: HttpBody> {
    #[pin]
    state: State<S, S::Future, B>,
}

#[pin_project(project = StateProjection)]
#[allow(
    clippy::large_enum_variant,
    reason = "every message but a lost one reads first"
)]
enum State<S, F, B: HttpBody> {
    Reading {
        #[pin]
        body: Collect<B>,
        rest: Option<(S, Carried)>,
    },
    Inner(#[pin] F),
    Lost(Option<Error>),
}

impl<S, B> Future for InsideFuture<S, B>
where
    S: Service<Message, Response = Reply>,
    S::Error: Into<BoxError>,
    B: HttpBody,
    B::Error: Into<BoxError>,
{
    type Output = Result<Response<Body>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                StateProjection::Reading { body, rest } => {
                    let body = match ready!(body.poll(cx)) {
                        Ok(body) => body.to_bytes(),
                        Err(error) => return Poll::Ready(Ok(respond(Err(body_error(error.into()))))),
                    };
                    let Some((mut inner, Carried { parts, payload })) = rest.take() else {
                        polled_after_completion("InsideFuture");
                    };
                    let message = Message::from_parts(parts, (), payload.with_bytes(body));
                    let future = inner.call(message);
                    this.state.set(State::Inner(future));
                }
                StateProjection::Inner(future) => {
                    let result = ready!(future.poll(cx)).map_err(Into::into);
                    return Poll::Ready(Ok(respond(result)));
                }
                StateProjection::Lost(error) => {
                    let Some(error) = error.take() else {
                        polled_after_completion("InsideFuture");
                    };
                    return Poll::Ready(Ok(respond(Err(error.into()))));
                }
            }
        }
    }
}

impl<S: Service<Message>, B: HttpBody> std::fmt::Debug for InsideFuture<S, B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = match &self.state {
            State::Reading { .. } => "reading",
            State::Inner(_) => "inner",
            State::Lost(_) => "lost",
        };
        f.debug_struct("InsideFuture")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}

/// Maps the error of reading a body to PAYLOAD_TOO_LARGE if a layer's limit caused it. Returns any other error
/// unchanged.
fn body_error(error: BoxError) -> BoxError {
    let mut causes = std::iter::successors(Some(&*error as &(dyn std::error::Error + 'static)), |cause| {
        cause.source()
    });
    if causes.any(|cause| cause.is::<LengthLimitError>()) {
        return Error::new(Code::PAYLOAD_TOO_LARGE, "payload too large")
            .with_source(error)
            .into();
    }
    error
}

/// Converts a message's result to a response.
fn respond(result: Result<Reply, BoxError>) -> Response<Body> {
    let mut response = Response::new(Body::default());
    match &result {
        Ok(reply) => match reply.answer.to_bytes() {
            Some(answer) => {
                *response.body_mut() = answer.into();
                let json = HeaderValue::from_static("application/json");
                response.headers_mut().insert(header::CONTENT_TYPE, json);
            }
            None => *response.status_mut() = StatusCode::NO_CONTENT,
        },
        Err(error) => {
            let (code, wait) = match Cause::of(&**error) {
                Cause::Refusal(refusal) => (refusal.code(), refusal.retry_after()),
                Cause::Elapsed => (Code::TIMEOUT, None),
                Cause::Overloaded | Cause::Stopped => (Code::OVERLOADED, None),
                Cause::Unknown => (Code::INTERNAL_SERVER_ERROR, None),
            };
            *response.status_mut() = status_of(code);
            if let Some(wait) = wait {
                response
                    .headers_mut()
                    .insert(header::RETRY_AFTER, retry_after(wait));
            }
        }
    }
    let carried = CarriedResult::new(response.status(), result);
    response.extensions_mut().insert(carried);
    response
}
