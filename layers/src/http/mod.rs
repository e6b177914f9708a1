//! HTTP layers around a single message (feature `http`).
//!
//! [`HttpLayer`] adapts a layer that was written for `http::Request` and `http::Response`. It works where a raw
//! [`Message`](crate::Message) passes: around the whole app, or around a router's routes.
//!
//! ```
//! use tower::{BoxError, Service, ServiceBuilder, ServiceExt, service_fn};
//! use tower_http::{limit::RequestBodyLimitLayer, validate_request::ValidateRequestHeaderLayer};
//! use zocket_layers::{Connection, HttpLayer, Message, RawPayload, Reply};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), BoxError> {
//! let http = ServiceBuilder::new()
//!     .layer(RequestBodyLimitLayer::new(8))
//!     .layer(ValidateRequestHeaderLayer::accept("application/json"));
//! let echo = service_fn(async |message: Message| Ok::<_, BoxError>(Reply::with_payload(message.payload().clone())));
//! let mut echo = ServiceBuilder::new().layer(HttpLayer::new(http)).service(echo);
//!
//! let message = |json| Message::new(Connection::detached(()), "echo", RawPayload::json(json));
//! assert_eq!(echo.ready().await?.call(message("[1,2,3]")).await?.answer.as_json(), b"[1,2,3]");
//! let refusal = echo.ready().await?.call(message("[1,2,3,4]")).await.unwrap_err();
//! assert_eq!(refusal.to_string(), "PAYLOAD_TOO_LARGE: payload too large");
//! # Ok(()) }
//! ```
//!
//! # Request and response
//!
//! | part of the request | value |
//! |---|---|
//! | method | `POST` |
//! | path | `/` and the route, percent-encoded: `/chat.post`. One segment, so that no two routes share a path |
//! | header fields | the [`HeaderMap`](http::HeaderMap) in the message's extensions, if any; `content-length`, `content-type` |
//! | extensions | the message's, and its [`Connection`](crate::Connection) |
//! | body | the payload's bytes; empty without a payload |
//!
//! By default, the header fields contain none of the upgrade request. A layer outside of this one can add values that
//! `on_connect` has kept in the context's value, or that are in
//! [`Connection::extensions`](crate::Connection::extensions): `message.parts_mut().extensions.insert(fields)`.
//!
//! The service inside receives the request's extensions as the message's (the header fields among them, as a
//! `HeaderMap`), and its body as the payload. The path is read-only: a layer that rewrites it changes nothing.
//!
//! | part of the response | value |
//! |---|---|
//! | status | 200, or 204 without an answer; for a refusal the status from [`status_of`] |
//! | header fields | `content-type`, and `retry-after` where the refusal has one |
//! | extensions | the complete result of the message |
//! | body | the answer's bytes, read-only |
//!
//! # Result for the client
//!
//! The message's result is read from the response's extensions: its answer and effects, or the error with its issues.
//! Changes of a layer to header fields and body of the response are dropped, since a message's answer has neither.
//!
//! A response without that result was made by the layer itself. One whose status a layer has changed from a success to
//! something else counts as made by the layer too. Both become a refusal: 400 BAD_REQUEST, 401 UNAUTHORIZED, 403
//! FORBIDDEN, 404 NOT_FOUND, 408 and 504 TIMEOUT, 409 CONFLICT, 412 and 428 PRECONDITION_FAILED, 413
//! PAYLOAD_TOO_LARGE, 429 TOO_MANY_REQUESTS (with the seconds of its `retry-after`), 503 OVERLOADED; any other 4xx
//! BAD_REQUEST, and the rest, 2xx included, INTERNAL_SERVER_ERROR.
//!
//! A layer may send the request twice if it clones the whole request. Each clone has its own effects, as a message's
//! clones do.

mod carried;
mod future;
mod inside;
mod layer;
mod path;
mod service;
mod status;

pub use self::{
    future::HttpFuture,
    inside::{InsideFuture, InsideService},
    layer::HttpLayer,
    service::HttpService,
    status::{code_of, retry_after, status_of, wait_of},
};
