//! HTTP responses to upgrade requests.

use http::{HeaderValue, Response, StatusCode, header};
use serde_json::json;
use zocket_layers::{Body, Form};

use super::handshake::{Accept, HandshakeError};
use crate::core::meter;

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
    record_refusal(status, "BAD_HANDSHAKE");
    let mut response = json_response(status, &json!({ "error": message }));
    for (name, value) in fields {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Returns a response with this JSON as its body.
pub(super) fn json_response<B: From<String>>(status: StatusCode, body: &serde_json::Value) -> Response<B> {
    let mut response = Response::new(B::from(body.to_string()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Logs and counts a refused handshake. Neither the log nor the metric has anything that the client sent: a URL may have
/// a token.
pub(super) fn record_refusal(status: StatusCode, code: &'static str) {
    tracing::info!(status = status.as_u16(), code, "handshake refused");
    meter::handshake_refused(status, code);
}

/// Returns the status of every answer, for the comparison with PROTOCOL.md. A new variant of the matched types does not
/// compile here, and belongs into the lists.
#[cfg(test)]
pub(crate) fn statuses() -> std::collections::BTreeSet<u16> {
    use zocket_layers::{Code, Error};

    use super::refusal::Refusal;
    use crate::core::Rejection;

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
        Rejection::Headers(_) | Rejection::Refused(_) => Refusal::from(rejection).response(),
    });
    accepts
        .into_iter()
        .chain(malformed)
        .chain(rejections)
        .map(|response| response.status().as_u16())
        .collect()
}
