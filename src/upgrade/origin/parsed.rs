//! Serialised origins (RFC 6454, section 6.2), and the host that a request names.

use http::{HeaderMap, Uri, header::HOST};
use url::Host;

/// Origin of a page: scheme, host and port, in a form in which equal origins are equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ParsedOrigin {
    /// In lower case. `ws` and `wss` become `http` and `https`, whose origins they share.
    scheme: String,
    host: String,
    /// The scheme's default if the origin names no port. `None` for other schemes.
    port: Option<u16>,
}

impl ParsedOrigin {
    /// Parses `scheme://host[:port]`. Returns `None` for anything else, `null` included.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let mut letters = scheme.chars();
        if !letters.next()?.is_ascii_alphabetic()
            || !letters.all(|letter| letter.is_ascii_alphanumeric() || "+-.".contains(letter))
        {
            return None;
        }
        let scheme = match scheme.to_ascii_lowercase() {
            scheme if scheme == "ws" => "http".to_owned(),
            scheme if scheme == "wss" => "https".to_owned(),
            scheme => scheme,
        };
        let (host, port) = host_and_port(authority)?;
        Some(Self {
            port: port.or(default_port(&scheme)),
            scheme,
            host,
        })
    }

    /// Returns true if a page of this origin was loaded from the host and the port that the request names. A request
    /// without a port has the default port of the origin's scheme, because a proxy that ends TLS hides its scheme. Where
    /// the scheme is known to be `https`, a page loaded without TLS has another origin.
    pub(super) fn is_of(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let Some((host, port)) = requested(uri, headers) else {
            return false;
        };
        let is_web = match self.scheme.as_str() {
            "https" => true,
            "http" => uri.scheme_str() != Some("https"),
            _ => false,
        };
        is_web && self.host == host && self.port == port.or(default_port(&self.scheme))
    }
}

/// Returns the host and the port that a request names: the target's authority (`:authority` over HTTP/2), which has
/// precedence (RFC 9112, section 3.2.2), or the only `Host`.
fn requested(uri: &Uri, headers: &HeaderMap) -> Option<(String, Option<u16>)> {
    if let Some(authority) = uri.authority() {
        return host_and_port(authority.as_str());
    }
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host_and_port(host.to_str().ok()?),
        _ => None,
    }
}

/// Parses `host[:port]`. The host is normalised by the rules of browsers (case, forms of addresses, punycode). A final
/// dot is dropped, since the name with and without it is the same host.
fn host_and_port(authority: &str) -> Option<(String, Option<u16>)> {
    if authority.contains(|c: char| c.is_whitespace() || c.is_control() || "/\\?#@%".contains(c)) {
        return None;
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (authority, ""),
    };
    let port = match port {
        "" => None,
        digits if digits.bytes().all(|digit| digit.is_ascii_digit()) => Some(digits.parse().ok()?),
        _ => return None,
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.ends_with('.') {
        return None;
    }
    Some((Host::parse(host).ok()?.to_string(), port))
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}
