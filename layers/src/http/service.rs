use std::{
    mem,
    task::{Context as Task, Poll},
};

use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use tower::{BoxError, Service};

use super::{HttpFuture, carried::Carried, path};
use crate::{
    body::Body,
    error::Error,
    message::{Message, Reply},
};

/// The service of [`HttpLayer`](super::HttpLayer): turns the message into a request, and the response into a result.
#[derive(Debug, Clone)]
pub struct HttpService<H> {
    http: H,
}

impl<H> HttpService<H> {
    pub(super) const fn new(http: H) -> Self {
        Self { http }
    }
}

impl<H, B> Service<Message> for HttpService<H>
where
    H: Service<Request<Body>, Response = Response<B>> + Clone,
    H::Error: Into<BoxError>,
{
    type Response = Reply;
    type Error = BoxError;
    type Future = HttpFuture<H::Future>;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), Self::Error>> {
        self.http.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, message: Message) -> Self::Future {
        let fresh = self.http.clone();
        // Dropped at the end of this call. A layer that answers without calling the service inside then holds no
        // permits of it.
        let mut ready = mem::replace(&mut self.http, fresh);
        match request(message) {
            Ok(request) => HttpFuture::inner(ready.call(request)),
            Err(error) => HttpFuture::refused(error),
        }
    }
}

/// Converts the message to a request.
fn request(message: Message) -> Result<Request<Body>, Error> {
    let (mut parts, (), payload) = message.into_parts();
    let uri = path::from_route(parts.route())?;
    let mut extensions = mem::take(&mut parts.extensions);
    let mut headers = extensions.remove::<HeaderMap>().unwrap_or_default();
    let body = payload.to_bytes().unwrap_or_default();
    headers.insert(header::CONTENT_LENGTH, body.len().into());
    if payload.bytes().is_some() {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    extensions.insert(parts.connection().clone());
    extensions.insert(Carried { parts, payload });

    let mut request = Request::new(Body::from(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    *request.extensions_mut() = extensions;
    Ok(request)
}
