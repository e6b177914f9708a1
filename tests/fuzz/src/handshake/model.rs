//! The model of a handshake: PROTOCOL.md, section 1, *Handshake*, and section 3, *Offers*.

use std::collections::BTreeMap;

use super::input::{Declared, Fault, Field, Input, Origin};
use crate::socket::KEY;

/// A request, as its bytes are and as the model reads them.
pub(super) struct Request {
    pub(super) bytes: Vec<u8>,
    /// Texts of the declared headers. `Err` for a field that is not UTF-8.
    pub(super) headers: BTreeMap<&'static str, Result<String, ()>>,
    pub(super) offers: Offers,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Offers {
    pub(super) codec: bool,
    pub(super) refusals: bool,
    pub(super) flow: bool,
    /// The first offer to resume, behind its name.
    pub(super) resume: Option<Vec<u8>>,
}

/// The result of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// A request for no WebSocket, or a malformed one. It is never told by a WebSocket.
    Malformed(u16),
    Refused {
        status: u16,
        code: &'static str,
    },
    Accepted,
}

impl Request {
    pub(super) fn new(input: &Input, token: &str) -> Self {
        let query = input.parameters().join("&");
        let mut bytes = first_lines(input.fault.as_ref(), &query);
        let mut append = |name: &str, value: &[u8]| {
            bytes.extend(name.as_bytes());
            bytes.extend(b": ");
            bytes.extend(value);
            bytes.extend(b"\r\n");
        };
        let mut fields = Vec::new();
        for field in input.fields() {
            let (name, value) = field.line();
            append(&name, &value);
            fields.push((name.to_ascii_lowercase(), value));
        }
        let lines: Vec<_> = input.lines.iter().take(8).map(|line| line.bytes(token)).collect();
        for line in &lines {
            append("Sec-WebSocket-Protocol", line);
        }
        bytes.extend(b"\r\n");
        Self {
            bytes,
            headers: headers(&fields, &query),
            offers: offers(&lines),
        }
    }

    /// Returns the result of a new client.
    pub(super) fn expected(&self, input: &Input) -> Expected {
        if let Some(status) = input.fault.as_ref().and_then(status_of) {
            return Expected::Malformed(status);
        }
        let origins: Vec<_> = input
            .fields()
            .filter_map(|field| match field {
                Field::Origin(origin) => Some(*origin),
                _ => None,
            })
            .collect();
        if !matches!(*origins, [] | [Origin::Allowed]) {
            let code = "FORBIDDEN";
            return Expected::Refused { status: 403, code };
        }
        if !self.invalid().is_empty() {
            let code = "BAD_REQUEST";
            return Expected::Refused { status: 400, code };
        }
        if self.headers.get("name") == Some(&Ok("nobody".to_owned())) {
            let code = "UNAUTHORIZED";
            return Expected::Refused { status: 401, code };
        }
        Expected::Accepted
    }
}

impl Request {
    /// Returns the names of the headers that do not fit their types.
    pub(super) fn invalid(&self) -> Vec<&'static str> {
        let invalid = self.headers.iter().filter(|(name, value)| !is_valid(name, value));
        invalid.map(|(name, _)| *name).collect()
    }
}

fn first_lines(fault: Option<&Fault>, query: &str) -> Vec<u8> {
    let method = match fault {
        Some(Fault::Method(method)) => method.name(),
        _ => "GET",
    };
    let version = match fault {
        Some(Fault::Http10) => "1.0",
        _ => "1.1",
    };
    let mut bytes = format!("{method} /?{query} HTTP/{version}\r\n").into_bytes();
    let mut append = |name: &str, value: Option<&[u8]>| {
        if let Some(value) = value {
            bytes.extend(name.as_bytes());
            bytes.extend(b": ");
            bytes.extend(value);
            bytes.extend(b"\r\n");
        }
    };
    let (mut host, mut upgrade, mut connection) = (
        Some(b"app.test".to_vec()),
        Some(b"websocket".to_vec()),
        Some(b"Upgrade".to_vec()),
    );
    let (mut version, mut key) = (Some(b"13".to_vec()), Some(KEY.as_bytes().to_vec()));
    match fault {
        Some(Fault::NoHost) => host = None,
        Some(Fault::NoUpgrade) => upgrade = None,
        Some(Fault::OtherUpgrade(text)) => upgrade = Some(text.bytes()),
        Some(Fault::NoConnection) => connection = None,
        Some(Fault::OtherConnection(text)) => connection = Some(text.bytes()),
        Some(Fault::NoVersion) => version = None,
        Some(Fault::OtherVersion(text)) => version = Some(text.bytes()),
        Some(Fault::NoKey) => key = None,
        Some(Fault::OtherKey(text)) => key = Some(text.bytes()),
        Some(Fault::Method(_) | Fault::Http10) | None => {}
    }
    append("Host", host.as_deref());
    append("Upgrade", upgrade.as_deref());
    append("Connection", connection.as_deref());
    append("Sec-WebSocket-Version", version.as_deref());
    append("Sec-WebSocket-Key", key.as_deref());
    bytes
}

/// Returns the status of a request with this fault, unless it is none after all.
fn status_of(fault: &Fault) -> Option<u16> {
    let has_token = |text: &[u8], token: &[u8]| {
        let mut tokens = text.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        text.is_ascii() && tokens.any(|other| other.eq_ignore_ascii_case(token))
    };
    match fault {
        Fault::Method(_) => Some(405),
        Fault::Http10 | Fault::NoUpgrade | Fault::NoVersion => Some(426),
        Fault::OtherUpgrade(text) => (!has_token(&text.bytes(), b"websocket")).then_some(426),
        Fault::OtherConnection(text) => (!has_token(&text.bytes(), b"upgrade")).then_some(400),
        Fault::OtherVersion(text) => (text.bytes() != b"13").then_some(426),
        Fault::OtherKey(text) => (!is_key(&text.bytes())).then_some(400),
        Fault::NoHost | Fault::NoConnection | Fault::NoKey => Some(400),
    }
}

/// Returns true for 16 bytes in base64: 22 characters and two `=`. The last character has two bits only.
fn is_key(key: &[u8]) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/".contains(byte);
    match key {
        [digits @ .., last, b'=', b'='] => {
            digits.len() == 21 && digits.iter().all(is_digit) && b"AQgw".contains(last)
        }
        _ => false,
    }
}

/// Returns the declared headers of a request. A field is never replaced by a parameter.
fn headers(fields: &[(String, Vec<u8>)], query: &str) -> BTreeMap<&'static str, Result<String, ()>> {
    let mut headers = BTreeMap::new();
    let parameters = parameters(query);
    for name in Declared::ALL.map(Declared::name) {
        let given: Vec<_> = fields.iter().filter(|(field, _)| field == name).collect();
        let separator = if name == "cookie" { "; " } else { ", " };
        if !given.is_empty() {
            let texts = given.iter().map(|(_, value)| String::from_utf8(value.clone()));
            let texts: Result<Vec<_>, _> = texts.collect();
            headers.insert(name, texts.map(|texts| texts.join(separator)).map_err(drop));
        } else if let Some((_, value)) = parameters.iter().rfind(|(parameter, _)| parameter == name) {
            headers.insert(name, Ok(value.clone()));
        }
    }
    headers
}

/// Returns the decoded parameters of a query.
fn parameters(query: &str) -> Vec<(String, String)> {
    let decode = |text: &str| {
        let mut bytes = Vec::new();
        let mut rest = text.as_bytes();
        while let [first, after @ ..] = rest {
            let digit = |at: usize| after.get(at).and_then(|digit| char::from(*digit).to_digit(16));
            rest = after;
            match (first, digit(0), digit(1)) {
                (b'%', Some(high), Some(low)) => {
                    bytes.push((high * 16 + low) as u8);
                    rest = &after[2..];
                }
                (b'+', ..) => bytes.push(b' '),
                _ => bytes.push(*first),
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

fn is_valid(name: &str, value: &Result<String, ()>) -> bool {
    match (name, value) {
        (_, Err(())) => false,
        ("ratio", Ok(text)) => number(text).is_some(),
        ("flag", Ok(text)) => text == "true" || text == "false",
        _ => true,
    }
}

/// Reads a number as JSON writes it.
pub(super) fn number(text: &str) -> Option<f64> {
    let rest = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (rest, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_number = are_digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(are_digits)
        && exponent.is_none_or(|exponent| are_digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)));
    let number: f64 = text.parse().ok().filter(|_| is_number)?;
    number.is_finite().then_some(number)
}

/// Reads the offers of these lines. Without a codec there are none.
fn offers(lines: &[Vec<u8>]) -> Offers {
    let elements = lines.iter().flat_map(|line| line.split(|byte| *byte == b','));
    let elements: Vec<_> = elements.map(<[u8]>::trim_ascii).collect();
    let has = |offer: &[u8]| elements.contains(&offer);
    if !has(b"zocket.v1.json") {
        return Offers::default();
    }
    let resume = elements.iter().find_map(|element| match *element {
        b"zocket.resume" => Some(&[][..]),
        element => element.strip_prefix(b"zocket.resume."),
    });
    Offers {
        codec: true,
        refusals: has(b"zocket.refusals"),
        flow: has(b"zocket.flow"),
        resume: resume.map(<[u8]>::to_vec),
    }
}
