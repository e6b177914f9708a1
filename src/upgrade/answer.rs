//! HTTP responses to upgrade requests.

use std::time::Duration;

use http::{HeaderValue, Response, StatusCode, header};
use serde_json::json;
use zocket_layers::{
    Body, Code, Error, Form,
    http::{retry_after, status_of},
    rescue::explain,
};

use super::handshake::{Accept, HandshakeError};
use crate::core::{NotAdmitted, Rejection, contain::drop_contained, meter};

/// Returns 101 with the `Sec-WebSocket-Accept` that answers the client's key, or 200 over HTTP/2. Either names the
/// subprotocol that was negotiated.
pub(super) fn accepted(accept: &Accept, form: Form) -> Response<Body> {
    let mut response = Response::new(Body::default());
    if let Accept::Switch(accept) = accept {
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        if let Ok(accept) = HeaderValue::from_str(accept) {
            headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
        }
    }
    let headers = response.headers_mut();
    if form.is_extended() {
        headers.insert(
            header::SEC_WEBSOCKET_PROTOCOL,
            HeaderValue::from_static(form.codec.subprotocol()),
        );
    }
    response
}

/// Returns the response to a request that opens no WebSocket: 405, 426 or 400.
pub(super) fn handshake_failed(reason: HandshakeError) -> Response<Body> {
    let (status, message) = match reason {
        HandshakeError::Method => (
            StatusCode::METHOD_NOT_ALLOWED,
            "expected the method GET, which opens a WebSocket",
        ),
        HandshakeError::Http10 => (
            StatusCode::UPGRADE_REQUIRED,
            "expected HTTP/1.1 or later, got HTTP/1.0, which opens no WebSocket; a proxy in front has to speak HTTP/1.1 to \
             this server",
        ),
        HandshakeError::NoUpgrade => (
            StatusCode::UPGRADE_REQUIRED,
            "this is a WebSocket endpoint: expected `Upgrade: websocket`",
        ),
        HandshakeError::Version => (
            StatusCode::UPGRADE_REQUIRED,
            "expected `Sec-WebSocket-Version: 13`",
        ),
        HandshakeError::Malformed(expected) => (StatusCode::BAD_REQUEST, expected),
    };
    // A 426 names the protocol (RFC 9110, section 15.5.22), and the version (RFC 6455, section 4.4).
    let fields: &[_] = match status {
        StatusCode::METHOD_NOT_ALLOWED => &[(header::ALLOW, "GET")],
        StatusCode::UPGRADE_REQUIRED => &[
            (header::UPGRADE, "websocket"),
            (header::CONNECTION, "Upgrade"),
            (header::SEC_WEBSOCKET_VERSION, "13"),
        ],
        _ => &[],
    };
    let mut response = refusal(status, "BAD_HANDSHAKE", &json!({ "error": message }));
    for (name, value) in fields {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Returns 400 with all issues of the headers, or the app's refusal as an HTTP status.
pub(super) fn rejected(rejection: Rejection) -> Response<Body> {
    match rejection {
        Rejection::Headers(issues) => refusal(
            StatusCode::BAD_REQUEST,
            Code::BAD_REQUEST.as_str(),
            &json!({ "error": "Invalid headers", "details": issues }),
        ),
        Rejection::Refused(error) => {
            let error = explain(error.into());
            let response = refused(&error);
            drop_contained(error);
            response
        }
    }
}

/// Returns 503 with `Retry-After`.
pub(super) fn not_admitted(reason: NotAdmitted) -> Response<Body> {
    let (message, wait) = match reason {
        // Short, because other servers accept clients.
        NotAdmitted::ShuttingDown => ("the server is shutting down", Duration::from_secs(1)),
        NotAdmitted::Connections => (
            "the server has no room for another client",
            Duration::from_secs(5),
        ),
        NotAdmitted::Handshakes => ("too many clients connect at once", Duration::from_secs(1)),
    };
    let mut response = refused(&Error::new(Code::OVERLOADED, message));
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, retry_after(wait));
    response
}

/// Returns 504, for an `on_connect` that did not end in time.
pub(super) fn connect_timed_out() -> Response<Body> {
    refused(&Error::new(
        Code::TIMEOUT,
        "the server did not decide in time whether the client may connect",
    ))
}

/// Returns a refusal as an HTTP status, with the error as its JSON body.
pub(super) fn refused<B: From<String>>(error: &Error) -> Response<B> {
    let mut body = json!({ "error": error.message(), "code": error.code().as_str() });
    if !error.issues().is_empty() {
        body["details"] = json!(error.issues());
    }
    let mut response = refusal(status_of(error.code()), error.code().as_str(), &body);
    if let Some(wait) = error.retry_after() {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, retry_after(wait));
    }
    response
}

/// Returns the response of a refused handshake, and logs and counts it. Neither the log nor the metric has anything that
/// the client sent: a URL may have a token.
fn refusal<B: From<String>>(status: StatusCode, code: &'static str, body: &serde_json::Value) -> Response<B> {
    tracing::info!(status = status.as_u16(), code, "handshake refused");
    meter::handshake_refused(status, code);
    let mut response = Response::new(B::from(body.to_string()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Returns the status of every answer, for the comparison with PROTOCOL.md. A new variant of the matched types does not
/// compile here, and belongs into the lists.
#[cfg(test)]
pub(crate) fn statuses() -> std::collections::BTreeSet<u16> {
    let accepts = [Accept::Switch(String::new()), Accept::Connect].map(|accept| match accept {
        Accept::Switch(_) | Accept::Connect => accepted(&accept, Form::BASE),
    });
    let malformed = [
        HandshakeError::Method,
        HandshakeError::Http10,
        HandshakeError::NoUpgrade,
        HandshakeError::Version,
        HandshakeError::Malformed("expected a `Host`"),
    ];
    let malformed = malformed.map(|reason| match reason {
        HandshakeError::Method
        | HandshakeError::Http10
        | HandshakeError::NoUpgrade
        | HandshakeError::Version
        | HandshakeError::Malformed(_) => handshake_failed(reason),
    });
    let rejections = Code::PROTOCOL.map(|code| Rejection::Refused(Error::new(code, "")));
    let rejections = std::iter::once(Rejection::Headers(Vec::new())).chain(rejections);
    let rejections = rejections.map(|rejection| match rejection {
        Rejection::Headers(_) | Rejection::Refused(_) => rejected(rejection),
    });
    accepts
        .into_iter()
        .chain(malformed)
        .chain(rejections)
        .map(|response| response.status().as_u16())
        .collect()
}
