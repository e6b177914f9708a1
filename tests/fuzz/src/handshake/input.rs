//! A request to open a WebSocket, decoded from the fuzzer's bytes.

use arbitrary::Arbitrary;

#[derive(Debug, Arbitrary)]
pub(super) struct Input {
    pub(super) fault: Option<Fault>,
    query: Vec<Parameter>,
    fields: Vec<Field>,
    pub(super) lines: Vec<Line>,
    /// The session that the client has before. It may ask for it.
    pub(super) session: Option<Before>,
}

/// A session of a client with the header `name=a`.
#[derive(Debug, Arbitrary)]
pub(super) struct Before {
    /// True if the handshake has the same connect headers, whatever else the input says.
    pub(super) has_same_headers: bool,
}

impl Input {
    /// Returns the texts of the query's parameters.
    pub(super) fn parameters(&self) -> Vec<String> {
        match self.has_same_headers() {
            true => vec!["name=a".to_owned()],
            false => self.query.iter().take(16).map(Parameter::text).collect(),
        }
    }

    /// Returns the fields of the request that the input chooses.
    pub(super) fn fields(&self) -> impl Iterator<Item = &Field> {
        let is_left_out = |field: &Field| self.has_same_headers() && matches!(field, Field::Declared { .. });
        self.fields
            .iter()
            .take(16)
            .filter(move |field| !is_left_out(field))
    }

    fn has_same_headers(&self) -> bool {
        self.session
            .as_ref()
            .is_some_and(|before| before.has_same_headers)
    }
}

/// A part of the request that no handshake has.
#[derive(Debug, Arbitrary)]
pub(super) enum Fault {
    Method(Method),
    Http10,
    NoHost,
    NoUpgrade,
    OtherUpgrade(Text),
    NoConnection,
    OtherConnection(Text),
    NoVersion,
    OtherVersion(Text),
    NoKey,
    OtherKey(Text),
}

#[derive(Debug, Arbitrary)]
pub(super) enum Method {
    Post,
    Head,
    Options,
    Delete,
}

impl Method {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
            Self::Delete => "DELETE",
        }
    }
}

/// Value of a field. Bytes that HTTP does not allow there stand for others.
#[derive(Debug, Arbitrary)]
pub(super) struct Text(Vec<u8>);

impl Text {
    pub(super) fn bytes(&self) -> Vec<u8> {
        let allowed = |byte: &u8| match byte {
            b' '..=b'~' | b'\t' | 0x80.. => *byte,
            _ => b'!' + *byte,
        };
        let bytes: Vec<_> = self.0.iter().map(allowed).collect();
        // White space around a value is no part of it (RFC 9110, section 5.5).
        bytes.trim_ascii().to_vec()
    }
}

/// The names of connect headers. Each is a field and a parameter.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub(super) enum Declared {
    Name,
    User,
    Ratio,
    Flag,
    Cookie,
}

impl Declared {
    pub(super) const ALL: [Self; 5] = [Self::Name, Self::User, Self::Ratio, Self::Flag, Self::Cookie];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::User => "x-user-id",
            Self::Ratio => "ratio",
            Self::Flag => "flag",
            Self::Cookie => "cookie",
        }
    }
}

#[derive(Debug, Arbitrary)]
pub(super) enum Field {
    Declared {
        name: Declared,
        upper: bool,
        value: Text,
    },
    Origin(Origin),
    Version(Text),
    Other {
        name: u8,
        value: Text,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
pub(super) enum Origin {
    Allowed,
    Foreign,
    Null,
}

impl Field {
    /// Returns the name and the value.
    pub(super) fn line(&self) -> (String, Vec<u8>) {
        match self {
            Self::Declared { name, upper, value } => {
                let name = match upper {
                    true => name.name().to_uppercase(),
                    false => name.name().to_owned(),
                };
                (name, value.bytes())
            }
            Self::Origin(origin) => {
                let origin: &[u8] = match origin {
                    Origin::Allowed => b"https://app.test",
                    Origin::Foreign => b"https://other.test",
                    Origin::Null => b"null",
                };
                ("Origin".to_owned(), origin.to_vec())
            }
            Self::Version(version) => ("x-zocket-version".to_owned(), version.bytes()),
            Self::Other { name, value } => (format!("x-other-{name}"), value.bytes()),
        }
    }
}

/// A parameter of the query.
#[derive(Debug, Arbitrary)]
pub(super) enum Parameter {
    Declared { name: Declared, value: Vec<u8> },
    Other(Vec<u8>),
}

impl Parameter {
    /// Returns the text of the parameter. It may have percent signs, ampersands and equals signs anywhere.
    pub(super) fn text(&self) -> String {
        const ALLOWED: &[u8] =
            b"%&=+abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$'()*,;:@/?";
        let allowed = |byte: &u8| match ALLOWED.contains(byte) {
            true => char::from(*byte),
            false => char::from(ALLOWED[usize::from(*byte) % ALLOWED.len()]),
        };
        match self {
            Self::Declared { name, value } => {
                let value: String = value.iter().map(allowed).collect();
                format!("{}={value}", name.name())
            }
            Self::Other(text) => text.iter().map(allowed).collect(),
        }
    }
}

/// A line of `Sec-WebSocket-Protocol`.
#[derive(Debug, Arbitrary)]
pub(super) struct Line(Vec<Offer>);

#[derive(Debug, Arbitrary)]
pub(super) enum Offer {
    Codec,
    Refusals,
    Flow,
    Resume,
    Session { token: Token, n: N },
    Other(Text),
}

/// The token of an offer.
#[derive(Debug, Arbitrary)]
pub(super) enum Token {
    Right,
    Changed { at: u8, byte: u8 },
    Upper { at: u8 },
    Cut { length: u8 },
    Longer,
    Other(Text),
}

/// The number of an offer.
#[derive(Debug, Arbitrary)]
pub(super) enum N {
    Number(u8),
    Large(u64),
    Text(Text),
    Missing,
}

impl Line {
    /// Returns the value. `token` is that of the client's session.
    pub(super) fn bytes(&self, token: &str) -> Vec<u8> {
        let offers: Vec<_> = self.0.iter().map(|offer| offer.bytes(token)).collect();
        offers.join(&b", "[..]).trim_ascii().to_vec()
    }
}

impl Offer {
    fn bytes(&self, token: &str) -> Vec<u8> {
        match self {
            Self::Codec => b"zocket.v1.json".to_vec(),
            Self::Refusals => b"zocket.refusals".to_vec(),
            Self::Flow => b"zocket.flow".to_vec(),
            Self::Resume => b"zocket.resume".to_vec(),
            Self::Session { token: offered, n } => {
                let token = offered.bytes(token.as_bytes());
                [b"zocket.resume.", &token[..], &n.bytes()].concat()
            }
            Self::Other(text) => text.bytes(),
        }
    }
}

impl Token {
    fn bytes(&self, token: &[u8]) -> Vec<u8> {
        let place = |at: u8| usize::from(at) % token.len();
        let mut changed = token.to_vec();
        match self {
            Self::Right => {}
            Self::Changed { at, byte } => changed[place(*at)] = b'!' + byte % 94,
            Self::Upper { at } => changed[place(*at)].make_ascii_uppercase(),
            Self::Cut { length } => changed.truncate(place(*length)),
            Self::Longer => changed.push(b'0'),
            Self::Other(text) => return text.bytes(),
        }
        changed
    }
}

impl N {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Number(n) => format!(".{n}").into_bytes(),
            Self::Large(n) => format!(".{n}").into_bytes(),
            Self::Text(text) => [b".", &text.bytes()[..]].concat(),
            Self::Missing => Vec::new(),
        }
    }
}
