use std::{fmt, sync::Arc};

use http::{HeaderMap, Uri, header::ORIGIN};
use zocket_layers::Error;

use super::parsed::ParsedOrigin;

/// Rule that decides which pages may open a WebSocket: those of the request's own host ([`same`](Self::same)), those of
/// a [`list`](Self::list), or both. Requests without `Origin`, as bots and services send, pass unless the rule is
/// [`required`](Self::required). The origin `null`, of sandboxed frames and local files, never passes, because every
/// site can make such a frame. Neither does a request with several origins. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Origins {
    same: bool,
    listed: Arc<[ParsedOrigin]>,
    required: bool,
}

impl Origins {
    /// Allows pages whose origin has the host and the port of the request's `Host` (`:authority` over HTTP/2).
    ///
    /// Behind a proxy this needs the browser's `Host` (nginx: `proxy_set_header Host $host`, or `$http_host` for a port
    /// other than the default). Behind a proxy that ends TLS, a page that was loaded by plain `http:` from the same
    /// host can't be distinguished from one loaded by `https:`. A [`list`](Self::list) distinguishes them.
    #[must_use]
    pub fn same() -> Self {
        Self {
            same: true,
            listed: Arc::default(),
            required: false,
        }
    }

    /// Allows pages with one of these origins, written as browsers do: `https://chat.example.org`, with the port if it
    /// is not the default. Case, default ports and a final dot of the host make no difference. `wss` stands for
    /// `https`, and `ws` for `http`. Other schemes work too, such as `capacitor://localhost`.
    ///
    /// # Errors
    /// [`OriginError`] for a text that is no origin: `null`, a pattern with `*`, or a URL with a path.
    pub fn list<T: AsRef<str>>(origins: impl IntoIterator<Item = T>) -> Result<Self, OriginError> {
        let listed = origins.into_iter().map(|origin| {
            let origin = origin.as_ref();
            let parsed = ParsedOrigin::parse(origin).filter(|_| !origin.contains('*'));
            parsed.ok_or_else(|| OriginError(origin.to_owned()))
        });
        Ok(Self {
            same: false,
            listed: listed.collect::<Result<_, _>>()?,
            required: false,
        })
    }

    /// Allows the origins of either rule: `Origins::same().or(Origins::list(["capacitor://localhost"])?)`. An `Origin`
    /// is required if either rule requires it.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            same: self.same || other.same,
            listed: self.listed.iter().chain(other.listed.iter()).cloned().collect(),
            required: self.required || other.required,
        }
    }

    /// Refuses requests without `Origin`, so that only browsers connect, and clients that imitate one.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Checks a request.
    ///
    /// # Errors
    /// The refusal, with FORBIDDEN. It does not repeat the request's values.
    pub(crate) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Error> {
        let mut fields = headers.get_all(ORIGIN).iter();
        let origin = match (fields.next(), fields.next()) {
            (None, _) if self.required => {
                return Err(Error::forbidden("expected an `Origin`"));
            }
            (None, _) => return Ok(()),
            (Some(_), Some(_)) => return Err(Error::forbidden("expected one `Origin`, got several")),
            (Some(origin), None) => origin.to_str().ok().and_then(ParsedOrigin::parse),
        };
        match origin {
            None => Err(Error::forbidden(
                "expected an `Origin` with scheme and host, such as `https://chat.example.org`",
            )),
            Some(origin) if self.listed.contains(&origin) => Ok(()),
            Some(origin) if self.same && origin.is_of(uri, headers) => Ok(()),
            Some(_) => Err(Error::forbidden("pages of this origin may not connect")),
        }
    }
}

/// Error of [`Origins::list`]: a text is no origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginError(String);

impl fmt::Display for OriginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "expected an origin such as `https://chat.example.org`, without a path or a pattern, got `{}`",
            self.0
        )
    }
}

impl std::error::Error for OriginError {}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    /// Returns the refusal of a request with these header fields.
    fn refusal(origins: &Origins, target: &str, fields: &[(&str, &str)]) -> Option<String> {
        let mut request = Request::get(target);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.body(()).unwrap();
        let checked = origins.check(request.uri(), request.headers());
        checked.err().map(|error| error.to_string())
    }

    fn is_same(origin: &str, host: &str) -> bool {
        refusal(&Origins::same(), "/ws", &[("origin", origin), ("host", host)]).is_none()
    }

    #[test]
    fn a_page_of_the_requests_host_and_port_has_the_same_origin() {
        for (origin, host) in [
            ("https://a.example", "a.example"),
            ("http://a.example", "a.example"),
            ("https://a.example", "a.example:443"),
            ("https://a.example:443", "a.example"),
            ("http://a.example", "a.example:80"),
            ("http://a.example:", "a.example:"),
            ("http://127.0.0.1:3000", "127.0.0.1:3000"),
            ("HTTPS://A.Example", "a.eXAMPLE"),
            ("wss://a.example", "a.example"),
            ("ws://a.example", "a.example:80"),
            ("http://[::1]:3000", "[::1]:3000"),
            ("https://[2001:DB8::0:1]", "[2001:db8::1]"),
            ("https://[2001:db8::1]", "[2001:db8::1]:443"),
            ("https://a.example.", "a.example"),
            ("https://a.example", "a.example."),
            ("https://a.example.:443", "a.example.:443"),
            ("https://xn--bcher-kva.example", "xn--bcher-kva.example"),
        ] {
            assert!(is_same(origin, host), "{origin} at {host}");
        }
    }

    #[test]
    fn other_hosts_ports_and_schemes_have_another_origin() {
        for (origin, host) in [
            ("https://evil.example", "a.example"),
            ("https://a.example.evil.example", "a.example"),
            ("https://sub.a.example", "a.example"),
            ("https://a.example:8443", "a.example"),
            ("https://a.example", "a.example:8443"),
            ("https://a.example", "a.example:80"),
            ("http://a.example", "a.example:443"),
            ("http://127.0.0.1:3000", "127.0.0.1:3001"),
            ("http://127.0.0.1:3000", "localhost:3000"),
            ("https://[2001:db8::2]", "[2001:db8::1]"),
            ("https://a.example..", "a.example"),
            ("https://.", "."),
            ("capacitor://a.example", "a.example"),
            ("chrome-extension://a.example", "a.example"),
        ] {
            assert!(!is_same(origin, host), "{origin} at {host}");
        }
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for origin in [
            "null",
            "NULL",
            "",
            "a.example",
            "https:a.example",
            "https://",
            "https:///a.example",
            "//a.example",
            "https://a.example/",
            "https://a.example/path",
            "https://a.example?x",
            "https://a.example#x",
            "https://user@a.example",
            "https://evil.example@a.example",
            "https://a.example https://a.example",
            "https://a.example, https://a.example",
            "https://a.example:x",
            "https://a.example:99999",
            "https://a.example:+443",
            "https://[::1",
            "https://::1",
            "https://a%2eexample",
            "https://a.example\\evil.example",
            "https://a\t.example",
            "1https://a.example",
            "file://",
        ] {
            assert!(!is_same(origin, "a.example"), "{origin}");
            let list = Origins::list(["https://a.example"]).unwrap();
            let refused = refusal(&list, "/", &[("origin", origin), ("host", "a.example")]);
            assert!(
                refused.unwrap().starts_with("FORBIDDEN: expected an `Origin`"),
                "{origin}"
            );
        }
    }

    #[test]
    fn several_origins_or_hosts_are_refused() {
        let same = Origins::same();
        let ours = ("origin", "https://a.example");
        let host = ("host", "a.example");
        assert!(refusal(&same, "/", &[ours, host]).is_none());
        for fields in [
            [ours, ours, host],
            [ours, ("origin", "https://evil.example"), host],
            [("origin", "null"), ours, host],
            [ours, ("origin", ""), host],
            [ours, host, ("host", "evil.example")],
            [ours, ("host", "evil.example"), host],
        ] {
            assert!(refusal(&same, "/", &fields).is_some(), "{fields:?}");
        }
        assert!(refusal(&same, "/", &[ours]).is_some(), "no host");
    }

    #[test]
    fn the_targets_authority_stands_in_place_of_the_host() {
        let same = Origins::same();
        for (target, origin, passes) in [
            ("https://a.example/ws", "https://a.example", true),
            ("https://a.example:8443/ws", "https://a.example:8443", true),
            ("http://a.example/ws", "https://a.example", true),
            // The page was loaded without TLS, so anyone on the way may have changed it.
            ("https://a.example/ws", "http://a.example", false),
            ("https://evil.example/ws", "https://a.example", false),
        ] {
            let refused = refusal(&same, target, &[("origin", origin), ("host", "a.example")]);
            assert_eq!(refused.is_none(), passes, "{origin} at {target}");
        }
    }

    #[test]
    fn a_list_allows_its_origins_and_no_others() {
        let list = [
            "https://Chat.example.org",
            "http://localhost:3000",
            "capacitor://localhost",
        ];
        let list = Origins::list(list).unwrap();
        for (origin, passes) in [
            ("https://chat.example.org", true),
            ("https://chat.example.org:443", true),
            ("wss://chat.example.org", true),
            ("https://chat.example.org.", true),
            ("http://localhost:3000", true),
            ("capacitor://localhost", true),
            ("http://chat.example.org", false),
            ("https://chat.example.org:80", false),
            ("https://localhost:3000", false),
            ("http://localhost", false),
            ("capacitor://localhost:3000", false),
            ("ionic://localhost", false),
            ("https://server.example", false),
        ] {
            let refused = refusal(&list, "/", &[("origin", origin), ("host", "server.example")]);
            assert_eq!(refused.is_none(), passes, "{origin}");
        }
        let both = Origins::same().or(list);
        for origin in ["https://server.example", "capacitor://localhost"] {
            let refused = refusal(&both, "/", &[("origin", origin), ("host", "server.example")]);
            assert_eq!(refused, None, "{origin}");
        }
    }

    #[test]
    fn a_list_refuses_what_is_no_origin() {
        for origin in [
            "null",
            "*",
            "https://*.example.org",
            "chat.example.org",
            "https://a.example/",
            "",
        ] {
            let error = Origins::list(["https://a.example", origin])
                .unwrap_err()
                .to_string();
            assert!(
                error.starts_with("expected an origin such as")
                    && error.ends_with(&format!("got `{origin}`")),
                "{error}"
            );
        }
    }

    #[test]
    fn an_origin_is_optional_unless_it_is_required() {
        let same = Origins::same();
        let host = [("host", "a.example")];
        assert_eq!(refusal(&same, "/", &host), None);
        for required in [
            same.clone().required(),
            Origins::list([""; 0]).unwrap().required(),
            Origins::list(["https://a.example"]).unwrap().or(same.required()),
        ] {
            assert_eq!(
                refusal(&required, "/", &host).unwrap(),
                "FORBIDDEN: expected an `Origin`"
            );
        }
    }
}
