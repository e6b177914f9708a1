//! HTTP's layers around one message.
//!
//! [`HttpLayer`] takes a layer that was written for `http::Request` and `http::Response`, and stands where a raw
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
//! # What the layer sees
//!
//! | of the request | is |
//! |---|---|
//! | method | `POST` |
//! | path | `/` and the route, percent-encoded: `/chat.post`. One segment, so that no two routes share a path |
//! | header fields | the [`HeaderMap`](http::HeaderMap) in the message's extensions, if any; `content-length`, `content-type` |
//! | extensions | the message's, and its [`Connection`](crate::Connection) |
//! | body | the payload's bytes; empty where there is none |
//!
//! Nothing of the upgrade request is in the header fields by itself. What `on_connect` has kept in the context's
//! value, or what stands in [`Connection::extensions`](crate::Connection::extensions), a layer outside of this one can
//! put there: `message.parts_mut().extensions.insert(fields)`.
//!
//! What is inside goes on with the request's extensions as the message's (the header fields among them, as a
//! `HeaderMap`), and with its body as the payload. The path is for looking at: a layer that rewrites it changes
//! nothing.
//!
//! | the response | is |
//! |---|---|
//! | status | 200, or 204 without an answer; for a refusal what [`status_of`] says |
//! | header fields | `content-type`, and `retry-after` where the refusal has one |
//! | extensions | what the message has come to, whole |
//! | body | the answer's bytes, for looking at |
//!
//! # What the client is told
//!
//! What the message has come to, from the response's extensions: its answer, its effects, or the error with its
//! issues. What a layer does to header fields and body of the response has nowhere to go, as a message's answer has
//! neither.
//!
//! A response without that is the layer's own, and so is one whose status a layer has changed from a success to
//! something else. It becomes a refusal: 400 BAD_REQUEST, 401 UNAUTHORIZED, 403 FORBIDDEN, 404 NOT_FOUND, 408 and 504
//! TIMEOUT, 409 CONFLICT, 412 and 428 PRECONDITION_FAILED, 413 PAYLOAD_TOO_LARGE, 429 TOO_MANY_REQUESTS (with the
//! seconds of its `retry-after`), 503 OVERLOADED; any other 4xx BAD_REQUEST, and the rest, 2xx included,
//! INTERNAL_SERVER_ERROR.
//!
//! A layer that sends the request twice works, if it clones the whole of it: each has effects of its own, as a
//! message's clones do.

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
