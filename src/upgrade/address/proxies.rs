use std::{fmt, net::IpAddr, sync::Arc};

use http::HeaderMap;

use super::entries;

/// Proxies whose reports about their peers are believed, and the header field in which they report. Cheap to clone.
///
/// The proxies have to set this field, or append to it. A proxy that passes on another field of its clients does no
/// harm, since only one is read.
#[derive(Debug, Clone)]
pub struct TrustedProxies {
    field: Field,
    networks: Arc<[Network]>,
}

#[derive(Debug, Clone, Copy)]
enum Field {
    Forwarded,
    XForwardedFor,
}

impl TrustedProxies {
    /// Trusts proxies with these addresses or in these networks (`10.0.0.0/8`), which report in `X-Forwarded-For`.
    ///
    /// # Errors
    /// [`NetworkError`] for a text that is neither an address nor a network.
    pub fn x_forwarded_for<T: AsRef<str>>(
        networks: impl IntoIterator<Item = T>,
    ) -> Result<Self, NetworkError> {
        Self::new(Field::XForwardedFor, networks)
    }

    /// Trusts proxies like [`x_forwarded_for`](Self::x_forwarded_for), which report in `Forwarded` (RFC 7239).
    ///
    /// # Errors
    /// [`NetworkError`] for a text that is neither an address nor a network.
    pub fn forwarded<T: AsRef<str>>(networks: impl IntoIterator<Item = T>) -> Result<Self, NetworkError> {
        Self::new(Field::Forwarded, networks)
    }

    fn new<T: AsRef<str>>(field: Field, networks: impl IntoIterator<Item = T>) -> Result<Self, NetworkError> {
        let networks = networks.into_iter().map(|text| {
            let text = text.as_ref();
            Network::parse(text).ok_or_else(|| NetworkError(text.to_owned()))
        });
        Ok(Self {
            field,
            networks: networks.collect::<Result<_, _>>()?,
        })
    }

    /// Returns the address of the client behind `peer`: the last entry that no trusted proxy has. If a trusted proxy
    /// does not report an address, it is the proxy's own.
    pub(super) fn client(&self, headers: &HeaderMap, peer: IpAddr) -> IpAddr {
        let peer = peer.to_canonical();
        match self.field {
            Field::Forwarded => self.behind(peer, entries::forwarded(headers)),
            Field::XForwardedFor => self.behind(peer, entries::x_forwarded_for(headers)),
        }
    }

    fn behind(&self, peer: IpAddr, entries: impl Iterator<Item = Option<IpAddr>>) -> IpAddr {
        let mut client = peer;
        for entry in entries {
            if !self.networks.iter().any(|network| network.contains(client)) {
                break;
            }
            match entry {
                Some(address) => client = address,
                None => break,
            }
        }
        client
    }
}

/// Addresses with a common prefix.
#[derive(Debug, Clone, Copy)]
struct Network {
    address: IpAddr,
    prefix: u32,
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) if prefix.bytes().all(|digit| digit.is_ascii_digit()) => {
                (address, Some(prefix.parse().ok()?))
            }
            Some(_) => return None,
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let bits = match address {
            IpAddr::V4(_) => u32::BITS,
            IpAddr::V6(_) => u128::BITS,
        };
        let prefix = prefix.unwrap_or(bits);
        (prefix <= bits).then_some(Self { address, prefix })
    }

    fn contains(self, other: IpAddr) -> bool {
        let differing = match (self.address, other) {
            (IpAddr::V4(a), IpAddr::V4(b)) => (u32::from(a) ^ u32::from(b)).leading_zeros(),
            (IpAddr::V6(a), IpAddr::V6(b)) => (u128::from(a) ^ u128::from(b)).leading_zeros(),
            _ => return false,
        };
        differing >= self.prefix
    }
}

/// Error of [`TrustedProxies`]: a text is neither an address nor a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkError(String);

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "expected an address or a network such as `10.0.0.0/8` or `2001:db8::/32`, got `{}`",
            self.0
        )
    }
}

impl std::error::Error for NetworkError {}

#[cfg(test)]
mod tests {
    use super::*;

    const TRUSTED: [&str; 3] = ["127.0.0.1", "10.0.0.0/8", "2001:db8::/32"];

    fn client(proxies: &TrustedProxies, peer: &str, fields: &[(&'static str, &str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        proxies.client(&headers, peer.parse().unwrap()).to_string()
    }

    #[test]
    fn the_field_of_an_untrusted_peer_is_ignored() {
        let proxies = TrustedProxies::x_forwarded_for(TRUSTED).unwrap();
        for peer in ["192.0.2.1", "11.0.0.1", "127.0.0.2", "2001:db9::1"] {
            assert_eq!(
                client(&proxies, peer, &[("x-forwarded-for", "203.0.113.9")]),
                peer
            );
        }
        let nobody = TrustedProxies::x_forwarded_for([""; 0]).unwrap();
        assert_eq!(
            client(&nobody, "127.0.0.1", &[("x-forwarded-for", "203.0.113.9")]),
            "127.0.0.1"
        );
    }

    #[test]
    fn the_last_entry_that_no_trusted_proxy_has_is_the_client() {
        let proxies = TrustedProxies::x_forwarded_for(TRUSTED).unwrap();
        for (peer, field, expected) in [
            ("127.0.0.1", "203.0.113.9", "203.0.113.9"),
            ("::ffff:127.0.0.1", "203.0.113.9", "203.0.113.9"),
            ("2001:db8::1", "203.0.113.9", "203.0.113.9"),
            // The client has sent an entry of its own.
            ("127.0.0.1", "198.51.100.1, 203.0.113.9", "203.0.113.9"),
            ("127.0.0.1", "10.0.0.1, 203.0.113.9", "203.0.113.9"),
            // Two proxies.
            ("127.0.0.1", "203.0.113.9, 10.1.2.3", "203.0.113.9"),
            ("127.0.0.1", "198.51.100.1, 203.0.113.9, 10.1.2.3", "203.0.113.9"),
            // A client in a trusted network.
            ("127.0.0.1", "10.9.9.9, 10.1.2.3", "10.9.9.9"),
            // An entry that is no address.
            ("127.0.0.1", "203.0.113.9, nonsense, 10.1.2.3", "10.1.2.3"),
            ("127.0.0.1", "nonsense", "127.0.0.1"),
        ] {
            assert_eq!(
                client(&proxies, peer, &[("x-forwarded-for", field)]),
                expected,
                "{field}"
            );
        }
    }

    #[test]
    fn only_the_chosen_field_is_read() {
        let both = [
            ("x-forwarded-for", "203.0.113.1"),
            ("forwarded", "for=203.0.113.2"),
        ];
        let x_forwarded_for = TrustedProxies::x_forwarded_for(TRUSTED).unwrap();
        let forwarded = TrustedProxies::forwarded(TRUSTED).unwrap();
        assert_eq!(client(&x_forwarded_for, "127.0.0.1", &both), "203.0.113.1");
        assert_eq!(client(&forwarded, "127.0.0.1", &both), "203.0.113.2");
        assert_eq!(client(&forwarded, "127.0.0.1", &both[..1]), "127.0.0.1");
        let chain = [(
            "forwarded",
            "for=198.51.100.1, for=\"[2001:db9::7]:1\", for=10.0.0.2",
        )];
        assert_eq!(client(&forwarded, "127.0.0.1", &chain), "2001:db9::7");
    }

    #[test]
    fn networks_are_parsed_or_named_in_the_error() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
            ("192.0.2.128/25", "192.0.2.255", "192.0.2.127"),
            ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
            ("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::"),
        ] {
            let network = Network::parse(network).unwrap();
            assert!(network.contains(inside.parse().unwrap()));
            assert!(!network.contains(outside.parse().unwrap()));
        }
        assert!(
            Network::parse("0.0.0.0/0")
                .unwrap()
                .contains("192.0.2.1".parse().unwrap())
        );
        assert!(
            !Network::parse("0.0.0.0/0")
                .unwrap()
                .contains("::1".parse().unwrap())
        );
        for text in [
            "",
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0/8",
            "::/129",
            "localhost",
            "10.0.0.0/8/8",
        ] {
            let error = TrustedProxies::forwarded([text]).unwrap_err().to_string();
            assert!(error.ends_with(&format!("got `{text}`")), "{error}");
        }
    }
}
