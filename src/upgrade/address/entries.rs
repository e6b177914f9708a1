//! Entries of the header fields in which proxies report the addresses of their peers.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName};

/// Returns the entries of `X-Forwarded-For`, the latest first. An entry that is no address is `None`.
pub(super) fn x_forwarded_for(headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> {
    const NAME: HeaderName = HeaderName::from_static("x-forwarded-for");
    let fields = headers.get_all(NAME).iter().collect::<Vec<_>>().into_iter().rev();
    fields.flat_map(|field| {
        let entries = field.as_bytes().rsplit(|byte| *byte == b',');
        entries.map(|entry| address(std::str::from_utf8(entry).ok()?.trim()))
    })
}

/// Returns the entries of `Forwarded` (RFC 7239), the latest first. An entry whose `for` is missing, repeated, hidden
/// (`_id`), `unknown` or no address is `None`.
pub(super) fn forwarded(headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> {
    let fields = headers
        .get_all(http::header::FORWARDED)
        .iter()
        .collect::<Vec<_>>();
    fields.into_iter().rev().flat_map(|field| {
        let mut entries = match field.to_str() {
            Ok(text) => split_unquoted(text, ',').into_iter().map(forwarded_for).collect(),
            Err(_) => vec![None],
        };
        entries.reverse();
        entries
    })
}

/// Returns the address of the parameter `for` of an element.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let parameters = split_unquoted(element, ';').into_iter();
    let mut nodes = parameters.filter_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then_some(value.trim())
    });
    match (nodes.next(), nodes.next()) {
        (Some(node), None) => address(&unquoted(node)?),
        _ => None,
    }
}

/// Splits a text at a separator outside of quoted strings (RFC 9110, section 5.6.4).
fn split_unquoted(text: &str, separator: char) -> Vec<&str> {
    let (mut parts, mut start) = (Vec::new(), 0);
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, letter) in text.char_indices() {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ if letter == separator && !is_quoted => {
                parts.push(&text[start..at]);
                start = at + letter.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// Returns the value of a token or a quoted string.
fn unquoted(value: &str) -> Option<String> {
    let Some(rest) = value.strip_prefix('"') else {
        return Some(value.to_owned());
    };
    let (mut text, mut letters) = (String::new(), rest.strip_suffix('"')?.chars());
    while let Some(letter) = letters.next() {
        text.push(match letter {
            '\\' => letters.next()?,
            letter => letter,
        });
    }
    Some(text)
}

/// Parses an address, with or without a port, and with or without the brackets of IPv6.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let address = match bare {
        Some(v6) => IpAddr::V6(v6.parse().ok()?),
        None => match text.parse::<IpAddr>() {
            Ok(address) => address,
            Err(_) => text.parse::<SocketAddr>().ok()?.ip(),
        },
    };
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(name: &'static str, values: &[&str]) -> HeaderMap {
        let values = values.iter();
        values
            .map(|value| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    fn texts(entries: impl Iterator<Item = Option<IpAddr>>) -> Vec<String> {
        let text = |entry: Option<IpAddr>| entry.map_or("-".to_owned(), |address| address.to_string());
        entries.map(text).collect()
    }

    #[test]
    fn x_forwarded_for_is_read_from_its_end() {
        for (values, expected) in [
            (&[][..], &[][..]),
            (&["192.0.2.1"], &["192.0.2.1"]),
            (&["192.0.2.1, 192.0.2.2"], &["192.0.2.2", "192.0.2.1"]),
            (
                &["192.0.2.1,192.0.2.2", "192.0.2.3"],
                &["192.0.2.3", "192.0.2.2", "192.0.2.1"],
            ),
            (&["192.0.2.1:4711"], &["192.0.2.1"]),
            (&["2001:db8::1"], &["2001:db8::1"]),
            (&["[2001:db8::1]"], &["2001:db8::1"]),
            (&["[2001:db8::1]:443"], &["2001:db8::1"]),
            (&["::ffff:192.0.2.1"], &["192.0.2.1"]),
            (&["unknown, 192.0.2.2"], &["192.0.2.2", "-"]),
            (&["192.0.2.1,"], &["-", "192.0.2.1"]),
            (&["192.0.2.256"], &["-"]),
            (&["[192.0.2.1]"], &["-"]),
            (&["192.0.2.1 192.0.2.2"], &["-"]),
        ] {
            assert_eq!(
                texts(x_forwarded_for(&fields("x-forwarded-for", values))),
                expected,
                "{values:?}"
            );
        }
    }

    #[test]
    fn forwarded_is_read_from_its_end() {
        for (values, expected) in [
            (&[][..], &[][..]),
            (&["for=192.0.2.1"], &["192.0.2.1"]),
            (&["For=192.0.2.1;proto=https;by=203.0.113.43"], &["192.0.2.1"]),
            (&["proto=https; for = 192.0.2.1"], &["192.0.2.1"]),
            (&["for=192.0.2.1, for=192.0.2.2"], &["192.0.2.2", "192.0.2.1"]),
            (&["for=192.0.2.1", "for=192.0.2.2"], &["192.0.2.2", "192.0.2.1"]),
            (&["for=\"192.0.2.1:4711\""], &["192.0.2.1"]),
            (&["for=\"[2001:db8::1]:4711\""], &["2001:db8::1"]),
            (&["for=\"[2001:DB8::1]\""], &["2001:db8::1"]),
            (&["for=\"192.0.2.\\1\""], &["192.0.2.1"]),
            (&["host=\"a,for=192.0.2.9\";for=192.0.2.1"], &["192.0.2.1"]),
            (&["host=\"a\\\",for=192.0.2.9\";for=192.0.2.1"], &["192.0.2.1"]),
            (&["for=unknown"], &["-"]),
            (&["for=_hidden, for=192.0.2.2"], &["192.0.2.2", "-"]),
            (&["proto=https"], &["-"]),
            (&["for=192.0.2.1;for=192.0.2.2"], &["-"]),
            (&["for=\"192.0.2.1"], &["-"]),
            (&[""], &["-"]),
            (&["192.0.2.1"], &["-"]),
        ] {
            assert_eq!(
                texts(forwarded(&fields("forwarded", values))),
                expected,
                "{values:?}"
            );
        }
    }
}
