//! HTTP service that serves the client to pages without a build step.

use std::{
    convert::Infallible,
    fmt,
    future::{Ready, ready},
    task::{Context as Task, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use tower::Service;
use zocket_layers::Body;

use super::{Contract, fingerprint, typescript};

/// `zocket.js` and `zocket.d.ts` of a contract as a tower service of HTTP requests, for pages without a build step:
/// they `import { createClient } from "/zocket.js"`. Made by [`Contract::client_files`]. Cheap to clone.
///
/// Only the last segment of the path counts. A path that ends in `/zocket.js` is answered with the client, one that
/// ends in `/zocket.d.ts` with its types, any other with 404. GET and HEAD are supported, other methods get 405.
/// Browsers revalidate their copy each time (`Cache-Control: no-cache`, with an `ETag`), and get 304 if it is current.
/// So a page that is loaded after a release gets the new client.
///
/// ```
/// # let zo = zocket::Zocket::builder().build();
/// # let router = zo.router();
/// let files = router.contract().client_files();
/// let app = axum::Router::<()>::new()
///     .route_service("/zocket.js", files.clone())
///     .route_service("/zocket.d.ts", files)
///     .route_service("/ws", zo.serve(router));
/// # drop(app);
/// ```
#[derive(Clone)]
pub struct ClientFiles {
    javascript: File,
    declarations: File,
}

#[derive(Clone)]
struct File {
    text: Bytes,
    content_type: HeaderValue,
    etag: HeaderValue,
}

impl Contract {
    /// Returns the client for plain pages as a service: see [`ClientFiles`].
    #[must_use]
    pub fn client_files(&self) -> ClientFiles {
        ClientFiles {
            javascript: File::new(typescript::javascript(self), "text/javascript; charset=utf-8"),
            // `text/plain` makes editors and browsers show the file, because `.ts` is also the extension of a video
            // format.
            declarations: File::new(
                typescript::javascript_declarations(&self.canonical()),
                "text/plain; charset=utf-8",
            ),
        }
    }
}

impl File {
    fn new(text: String, content_type: &'static str) -> Self {
        let etag = format!("\"{}\"", fingerprint(&text));
        Self {
            text: text.into(),
            content_type: HeaderValue::from_static(content_type),
            etag: HeaderValue::try_from(etag).expect("hexadecimal digits in quotes are a field's value"),
        }
    }

    fn answer(&self, method: &Method, headers_of_request: &HeaderMap) -> Response<Body> {
        let mut response = Response::new(Body::default());
        let headers = response.headers_mut();
        headers.insert(header::ETAG, self.etag.clone());
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if self.has_current_copy(headers_of_request) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        headers.insert(header::CONTENT_TYPE, self.content_type.clone());
        headers.insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(self.text.len()));
        if method != Method::HEAD {
            *response.body_mut() = self.text.clone().into();
        }
        response
    }

    /// Returns true if the client's copy is current. `If-None-Match` is a list, compared weakly (RFC 9110, section
    /// 13.1.2).
    fn has_current_copy(&self, headers_of_request: &HeaderMap) -> bool {
        headers_of_request
            .get_all(header::IF_NONE_MATCH)
            .iter()
            .filter_map(|field| field.to_str().ok())
            .flat_map(|field| field.split(','))
            .map(|tag| tag.trim().trim_start_matches("W/"))
            .any(|tag| tag == "*" || tag.as_bytes() == self.etag.as_bytes())
    }
}

impl<B> Service<Request<B>> for ClientFiles {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Task<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let file = match request.uri().path().rsplit('/').next() {
            Some("zocket.js") => Some(&self.javascript),
            Some("zocket.d.ts") => Some(&self.declarations),
            _ => None,
        };
        let response = match (file, request.method()) {
            (None, _) => status(StatusCode::NOT_FOUND),
            (Some(file), method @ (&Method::GET | &Method::HEAD)) => file.answer(method, request.headers()),
            (Some(_), _) => {
                let mut response = status(StatusCode::METHOD_NOT_ALLOWED);
                response
                    .headers_mut()
                    .insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
                response
            }
        };
        ready(Ok(response))
    }
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = status;
    response
}

impl fmt::Debug for ClientFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientFiles")
    }
}
