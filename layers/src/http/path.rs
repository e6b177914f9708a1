//! Conversion of a route to a path.

use http::Uri;

use crate::error::{Code, Error};

/// Returns `/` and the route, with all but RFC 3986's unreserved characters (section 2.3) percent-encoded.
pub(super) fn from_route(route: &str) -> Result<Uri, Error> {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut path = String::with_capacity(1 + route.len());
    path.push('/');
    for byte in route.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            path.push(char::from(byte));
        } else {
            path.push('%');
            path.push(char::from(DIGITS[usize::from(byte >> 4)]));
            path.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
    // The only failure is a route that is too long, and no router has such a route.
    Uri::try_from(path).map_err(|error| {
        let message = format!(
            "no route of {} bytes: expected a path of less than 65,535",
            route.len()
        );
        Error::new(Code::NOT_FOUND, message).with_source(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_characters_are_percent_encoded() {
        for (route, path) in [
            ("chat.post", "/chat.post"),
            ("", "/"),
            ("..", "/.."),
            ("a/b?c#d%20", "/a%2Fb%3Fc%23d%2520"),
            ("é\0 ", "/%C3%A9%00%20"),
        ] {
            assert_eq!(from_route(route).unwrap().to_string(), path);
        }
    }

    #[test]
    fn a_route_that_makes_no_valid_uri_is_not_found() {
        let refusal = from_route(&"é".repeat(40_000)).unwrap_err();
        assert_eq!(refusal.code(), Code::NOT_FOUND);
        assert!(refusal.message().len() < 100);
    }
}
