//! What a refusal is: a code for programs, a sentence for people, and the issues of a payload.

use std::{borrow::Cow, fmt, time::Duration};

use serde::{Deserialize, Serialize, Serializer, ser::SerializeStruct};
use tower::BoxError;

/// Why a message was refused, as its sender is told.
///
/// The codes of the protocol are constants; an app adds its own with [`Code::app`] and declares them on the
/// procedures that answer with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Code(&'static str);

impl Code {
    /// The frame was not a message: no JSON, no object, no `type`, an `rpcId` of the wrong kind.
    pub const PARSE_ERROR: Self = Self("PARSE_ERROR");
    /// No such route, or no such thing.
    pub const NOT_FOUND: Self = Self("NOT_FOUND");
    /// The payload does not fit its type or its constraints; [`Error::issues`] says where.
    pub const BAD_REQUEST: Self = Self("BAD_REQUEST");
    /// It is not known who asks.
    pub const UNAUTHORIZED: Self = Self("UNAUTHORIZED");
    /// It is known who asks, and they may not.
    pub const FORBIDDEN: Self = Self("FORBIDDEN");
    /// It contradicts what is there.
    pub const CONFLICT: Self = Self("CONFLICT");
    /// Something that must hold first does not, or a limit of the connection is reached.
    pub const PRECONDITION_FAILED: Self = Self("PRECONDITION_FAILED");
    /// A tower timeout elapsed.
    pub const TIMEOUT: Self = Self("TIMEOUT");
    /// Load was shed, a buffer was closed, or the hub could not take an effect.
    pub const OVERLOADED: Self = Self("OVERLOADED");
    /// A rate limit refused; [`Error::retry_after`] says when to come back.
    pub const TOO_MANY_REQUESTS: Self = Self("TOO_MANY_REQUESTS");
    /// The payload, the answer or an event is larger than its limit.
    pub const PAYLOAD_TOO_LARGE: Self = Self("PAYLOAD_TOO_LARGE");
    /// A panic, or a failure that is not the client's business.
    pub const INTERNAL_SERVER_ERROR: Self = Self("INTERNAL_SERVER_ERROR");

    /// The codes that every procedure may answer with, undeclared.
    pub const PROTOCOL: [Self; 12] = [
        Self::PARSE_ERROR,
        Self::NOT_FOUND,
        Self::BAD_REQUEST,
        Self::UNAUTHORIZED,
        Self::FORBIDDEN,
        Self::CONFLICT,
        Self::PRECONDITION_FAILED,
        Self::TIMEOUT,
        Self::OVERLOADED,
        Self::TOO_MANY_REQUESTS,
        Self::PAYLOAD_TOO_LARGE,
        Self::INTERNAL_SERVER_ERROR,
    ];

    /// A code of the app's own, by convention in `SCREAMING_SNAKE_CASE`.
    #[must_use]
    pub const fn app(code: &'static str) -> Self {
        Self(code)
    }

    /// The code as it stands on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// Whether the protocol defines this code, so that no procedure has to declare it.
    #[must_use]
    pub fn is_protocol(self) -> bool {
        Self::PROTOCOL.contains(&self)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// A refusal: what a handler, a middleware or a stage answers instead of a [`Reply`](crate::Reply).
///
/// It travels as `Err` until [`RescueLayer`](crate::RescueLayer) turns it into what the client is told:
/// [`code`](Self::code), [`message`](Self::message) and [`issues`](Self::issues). The
/// [source](std::error::Error::source) goes to the log only.
///
/// ```
/// use zocket_layers::{Code, Error};
///
/// const ROOM_FULL: Code = Code::app("ROOM_FULL");
/// let refusal = Error::new(ROOM_FULL, "this room holds 8 players");
/// assert_eq!(refusal.to_string(), "ROOM_FULL: this room holds 8 players");
/// ```
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    code: Code,
    message: Cow<'static, str>,
    issues: Vec<Issue>,
    retry_after: Option<Duration>,
    source: Option<BoxError>,
}

impl Error {
    /// A refusal with a code and a sentence for people. Both reach the client.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            code,
            message: message.into(),
            issues: Vec::new(),
            retry_after: None,
            source: None,
        }))
    }

    /// [`Code::UNAUTHORIZED`]: it is not known who asks.
    pub fn unauthorized(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::UNAUTHORIZED, message)
    }

    /// [`Code::FORBIDDEN`]: whoever asks may not.
    pub fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::FORBIDDEN, message)
    }

    /// [`Code::NOT_FOUND`]: there is no such thing.
    pub fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::NOT_FOUND, message)
    }

    /// [`Code::CONFLICT`]: it contradicts what is there.
    pub fn conflict(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::CONFLICT, message)
    }

    /// [`Code::PRECONDITION_FAILED`]: something that must hold first does not.
    pub fn precondition_failed(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::PRECONDITION_FAILED, message)
    }

    /// [`Code::TOO_MANY_REQUESTS`], with the time after which it is worth trying again. The client is told in
    /// whole milliseconds, rounded up.
    #[must_use]
    pub fn too_many_requests(retry_after: Duration) -> Self {
        let mut refusal = Self::new(Code::TOO_MANY_REQUESTS, "too many requests");
        refusal.0.retry_after = Some(retry_after);
        refusal
    }

    /// [`Code::INTERNAL_SERVER_ERROR`] for a failure that is not the client's business. `source` goes to the
    /// log, never to the client: `row.fetch().await.map_err(Error::internal)?`.
    pub fn internal(source: impl Into<BoxError>) -> Self {
        Self::new(Code::INTERNAL_SERVER_ERROR, "internal error").with_source(source)
    }

    /// [`Code::BAD_REQUEST`] with every issue of a payload.
    #[must_use]
    pub fn bad_request(issues: Vec<Issue>) -> Self {
        let message = match issues.as_slice() {
            [] => Cow::Borrowed("the payload was refused"),
            [one] => Cow::Owned(one.to_string()),
            [first, rest @ ..] => Cow::Owned(format!("{first} (and {} more)", rest.len())),
        };
        let mut refusal = Self::new(Code::BAD_REQUEST, message);
        refusal.0.issues = issues;
        refusal
    }

    /// The same refusal, with what caused it, for the log.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What the client is told of this, again: everything but the source.
    pub(crate) fn retell(&self) -> Self {
        let mut retold = Self::new(self.0.code, self.0.message.clone());
        retold.0.issues.clone_from(&self.0.issues);
        retold.0.retry_after = self.0.retry_after;
        retold
    }

    /// What programs decide by.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// What people read.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Every issue of the payload, for [`Code::BAD_REQUEST`].
    #[must_use]
    pub fn issues(&self) -> &[Issue] {
        &self.0.issues
    }

    /// When it is worth trying again, for [`Code::TOO_MANY_REQUESTS`].
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code, self.0.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// A refusal as it stands on the wire: `{"code","message"}`, and where there are any `"issues"` and
/// `"retryAfterMs"`.
impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = 2 + usize::from(!self.issues().is_empty()) + usize::from(self.retry_after().is_some());
        let mut object = serializer.serialize_struct("Error", fields)?;
        object.serialize_field("code", self.code().as_str())?;
        object.serialize_field("message", self.message())?;
        if !self.issues().is_empty() {
            object.serialize_field("issues", self.issues())?;
        }
        if let Some(wait) = self.retry_after() {
            object.serialize_field(
                "retryAfterMs",
                &u64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX),
            )?;
        }
        object.end()
    }
}

/// One thing that is wrong with a payload.
///
/// On the wire: `{"path":["tags",0],"code":"min_length","message":"at least 1 character, got 0","params":{"min":1}}`;
/// `params` is absent where the code has none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Issue {
    /// Where, in the names of the wire, from the payload's root; empty for the payload itself.
    pub path: Vec<Segment>,
    /// What, for programs.
    pub code: Cow<'static, str>,
    /// What, for people.
    pub message: String,
    /// The numbers and names that the code speaks of.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub params: serde_json::Map<String, serde_json::Value>,
}

impl Issue {
    /// An issue without parameters.
    pub fn new(path: Vec<Segment>, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self {
            path,
            code: code.into(),
            message: message.into(),
            params: serde_json::Map::new(),
        }
    }

    /// The same issue with one more parameter.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
        self.params.insert(name.to_owned(), value.into());
        self
    }
}

/// `tags[0]: at least 1 character, got 0`, or the sentence alone at the payload's root.
impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, segment) in self.path.iter().enumerate() {
            match segment {
                Segment::Key(key) if i == 0 => write!(f, "{key}")?,
                Segment::Key(key) => write!(f, ".{key}")?,
                Segment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        if !self.path.is_empty() {
            f.write_str(": ")?;
        }
        f.write_str(&self.message)
    }
}

/// One step of the way to a value inside a payload.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Segment {
    /// The name of an object's member.
    Key(String),
    /// The position in an array, from 0.
    Index(usize),
}

impl From<&str> for Segment {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<usize> for Segment {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}
