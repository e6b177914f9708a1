//! The opening handshake: RFC 6455, section 4.2, over HTTP/1.1, and RFC 8441 over HTTP/2.

use http::{
    HeaderMap, HeaderName, Method, Version,
    header::Entry,
    header::{CONNECTION, HOST, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE},
    request::Parts,
};
use hyper::upgrade::OnUpgrade;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use zocket_layers::Codec;

use super::offers::Offers;

/// The reason why a request opens no WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HandshakeError {
    /// 405: the method is not GET.
    Method,
    /// 426: the request is of HTTP/1.0, whose `Upgrade` a server has to ignore (RFC 9110, section 7.8).
    Http10,
    /// 426: the request has no `Upgrade: websocket`.
    NoUpgrade,
    /// 426: the client asks for a version other than 13 (RFC 6455, section 4.4).
    Version,
    /// 400: the request is malformed. The text states the unmet expectation.
    Malformed(&'static str),
}

/// The answer to a request that opens a WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Accept {
    /// Over HTTP/1.1: 101, with this `Sec-WebSocket-Accept`.
    Switch(String),
    /// Over HTTP/2: 200.
    Connect,
}

/// A valid request to open a WebSocket.
pub(super) struct Handshake {
    pub(super) accept: Accept,
    pub(super) offers: Offers,
    /// The connection after the answer. `None` if the HTTP server does not support upgrades, or once it was taken.
    pub(super) upgrade: Option<OnUpgrade>,
    /// Number of the last frame that the client's former session has received, if the handshake has ended that.
    pub(super) ended: Option<u64>,
}

impl Handshake {
    /// Checks a request, and takes the upgrade of its connection from the extensions. `codec` is the codec of the stack.
    pub(super) fn take(request: &mut Parts, codec: Option<Codec>) -> Result<Self, HandshakeError> {
        let accept = check(request)?;
        let offers = Offers::read(&request.headers, codec);
        // A client may offer a token as one more subprotocol. Marked, it is no part of a `Debug` in the app's logs.
        if let Entry::Occupied(mut offered) = request.headers.entry(SEC_WEBSOCKET_PROTOCOL) {
            offered.iter_mut().for_each(|line| line.set_sensitive(true));
        }
        Ok(Self {
            accept,
            offers,
            upgrade: request.extensions.remove(),
            ended: None,
        })
    }
}

/// Checks a request to open a WebSocket, over HTTP/1.1 or HTTP/2. Returns the answer that accepts it.
fn check(request: &Parts) -> Result<Accept, HandshakeError> {
    if request.version >= Version::HTTP_2 {
        check_connect(request)
    } else {
        check_upgrade(request).map(Accept::Switch)
    }
}

/// Checks an extended CONNECT, whose protocol must be `websocket` (RFC 8441, section 5).
fn check_connect(request: &Parts) -> Result<Accept, HandshakeError> {
    const EXPECTED: &str =
        "expected CONNECT with `:protocol` websocket, which opens a WebSocket over HTTP/2 (RFC 8441)";
    if request.method != Method::CONNECT {
        return Err(HandshakeError::Malformed(EXPECTED));
    }
    #[cfg(feature = "http2")]
    if request
        .extensions
        .get::<hyper::ext::Protocol>()
        .is_none_or(|protocol| protocol.as_str() != "websocket")
    {
        return Err(HandshakeError::Malformed(EXPECTED));
    }
    if cfg!(not(feature = "http2")) {
        return Err(HandshakeError::Malformed(
            "no WebSockets over HTTP/2 here: the server was built without zocket's feature `http2`",
        ));
    }
    match request.headers.get(SEC_WEBSOCKET_VERSION) {
        Some(version) if version != "13" => Err(HandshakeError::Version),
        _ => Ok(Accept::Connect),
    }
}

/// Checks an upgrade over HTTP/1.1 (RFC 6455, section 4.2.1). Returns the `Sec-WebSocket-Accept`.
fn check_upgrade(request: &Parts) -> Result<String, HandshakeError> {
    if request.method != Method::GET {
        return Err(HandshakeError::Method);
    }
    // The first check of the fields: a proxy that speaks HTTP/1.0 drops most of them, and is the reason to report.
    if request.version < Version::HTTP_11 {
        return Err(HandshakeError::Http10);
    }
    let headers = &request.headers;
    if !has_token(headers, &UPGRADE, "websocket") {
        return Err(HandshakeError::NoUpgrade);
    }
    if !has_token(headers, &CONNECTION, "upgrade") {
        return Err(HandshakeError::Malformed("expected `Connection: Upgrade`"));
    }
    if !headers.contains_key(HOST) && request.uri.authority().is_none() {
        return Err(HandshakeError::Malformed("expected a `Host`"));
    }
    if headers
        .get(SEC_WEBSOCKET_VERSION)
        .is_none_or(|version| version != "13")
    {
        return Err(HandshakeError::Version);
    }
    match headers.get(SEC_WEBSOCKET_KEY).map(http::HeaderValue::as_bytes) {
        Some(key) if is_key(key) => Ok(derive_accept_key(key)),
        Some(_) => Err(HandshakeError::Malformed(
            "expected 16 bytes in base64 as `Sec-WebSocket-Key`",
        )),
        None => Err(HandshakeError::Malformed("expected a `Sec-WebSocket-Key`")),
    }
}

/// Returns true if one of a header's comma-separated tokens equals `token`, ignoring ASCII case.
fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|value| value.trim().eq_ignore_ascii_case(token))
}

/// Returns true for 16 bytes in base64 (RFC 6455, section 4.2.1): 22 digits, the last of which holds 2 bits, and two
/// `=`.
fn is_key(key: &[u8]) -> bool {
    let [digits @ .., b'=', b'='] = key else {
        return false;
    };
    digits.len() == 22
        && digits
            .iter()
            .all(|digit| digit.is_ascii_alphanumeric() || matches!(digit, b'+' | b'/'))
        && matches!(digits.last(), Some(b'A' | b'Q' | b'g' | b'w'))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn check_with(change: impl FnOnce(&mut Parts)) -> Result<Accept, HandshakeError> {
        let request = Request::get("/ws")
            .header("host", "a")
            .header("connection", "keep-alive, Upgrade")
            .header("upgrade", "WebSocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        change(&mut parts);
        check(&parts)
    }

    #[test]
    fn the_example_of_rfc_6455_is_accepted() {
        let accept = Accept::Switch("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".to_owned());
        assert_eq!(check_with(|_| ()), Ok(accept));
    }

    #[test]
    fn each_missing_handshake_field_has_its_own_error() {
        let without = |name: &'static str| check_with(|parts| drop(parts.headers.remove(name))).unwrap_err();
        assert_eq!(without("upgrade"), HandshakeError::NoUpgrade);
        assert_eq!(
            without("connection"),
            HandshakeError::Malformed("expected `Connection: Upgrade`")
        );
        assert_eq!(without("host"), HandshakeError::Malformed("expected a `Host`"));
        assert_eq!(without("sec-websocket-version"), HandshakeError::Version);
        assert_eq!(
            without("sec-websocket-key"),
            HandshakeError::Malformed("expected a `Sec-WebSocket-Key`")
        );
    }

    #[test]
    fn a_key_that_is_not_16_bytes_is_refused() {
        for key in [
            "",
            "abc",
            "dGhlIHNhbXBsZSBub25jZQ=",
            "dGhlIHNhbXBsZSBub25jZR==",
            "dGhlIHNhbXBsZSBub25jZ!==",
        ] {
            let refused =
                check_with(|parts| drop(parts.headers.insert("sec-websocket-key", key.parse().unwrap())));
            assert!(matches!(refused, Err(HandshakeError::Malformed(_))), "{key}");
        }
    }

    #[test]
    fn other_methods_and_versions_are_refused() {
        assert_eq!(
            check_with(|parts| parts.method = Method::POST),
            Err(HandshakeError::Method)
        );
        let version = |version: &'static str| {
            check_with(|parts| {
                drop(
                    parts
                        .headers
                        .insert("sec-websocket-version", version.parse().unwrap()),
                )
            })
        };
        assert_eq!(version("8"), Err(HandshakeError::Version));
    }

    #[test]
    fn a_request_of_http_1_0_is_told_the_version_whatever_else_it_lacks() {
        for missing in ["", "upgrade", "connection", "host", "sec-websocket-key"] {
            let refused = check_with(|parts| {
                parts.version = Version::HTTP_10;
                parts.headers.remove(missing);
            });
            assert_eq!(refused, Err(HandshakeError::Http10), "{missing}");
        }
        let other = check_with(|parts| {
            (parts.version, parts.method) = (Version::HTTP_10, Method::POST);
        });
        assert_eq!(other, Err(HandshakeError::Method));
    }
}
