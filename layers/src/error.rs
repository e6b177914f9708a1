//! Refusals: a code for programs, a sentence for people, and the issues of a payload.

mod code;

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize, Serializer, de::DeserializeOwned, ser::SerializeStruct};
use tower::BoxError;

pub use self::code::Code;
use crate::refusal::{DataError, DataType, Refusal, RefusalData, read_data};

/// A refusal: the answer of a handler, a middleware or a stage in place of a [`Reply`](crate::Reply).
///
/// Stages return it as `Err`. [`RescueLayer`](crate::RescueLayer) turns it into the refusal that is sent to the client,
/// with [`code`](Self::code), [`message`](Self::message) and [`issues`](Self::issues). The
/// [source](std::error::Error::source) is logged and not sent.
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
    /// Shared by the copies that [`Error::without_source`] makes, so that it is encoded once.
    data: Option<Arc<RefusalData>>,
    source: Option<BoxError>,
}

impl Error {
    /// Creates a refusal with a code for programs and a sentence for people. Both are sent to the client.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            code,
            message: message.into(),
            issues: Vec::new(),
            retry_after: None,
            data: None,
            source: None,
        }))
    }

    /// Creates a refusal with data. The code, the sentence and the data are sent to the client, the data by the extended
    /// protocol only. Data that can't be encoded makes it an [`internal`](Self::internal) error.
    ///
    /// [`Refusal`] has an example.
    #[must_use]
    pub fn refuse<R: Refusal>(refusal: R) -> Self {
        match RefusalData::of(&refusal) {
            Ok(data) => {
                let mut error = Self::new(R::CODE, refusal.message());
                error.0.data = Some(Arc::new(data));
                error
            }
            Err(error) => {
                let code = R::CODE;
                Self::internal(format!(
                    "the data of the refusal `{code}` can't be encoded as JSON: {error}"
                ))
            }
        }
    }

    /// Creates a refusal with [`Code::UNAUTHORIZED`]: the client has not authenticated.
    pub fn unauthorized(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::UNAUTHORIZED, message)
    }

    /// Creates a refusal with [`Code::FORBIDDEN`]: the client lacks permission.
    pub fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::FORBIDDEN, message)
    }

    /// Creates a refusal with [`Code::NOT_FOUND`]: the requested object does not exist.
    pub fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::NOT_FOUND, message)
    }

    /// Creates a refusal with [`Code::CONFLICT`]: the request contradicts the current state.
    pub fn conflict(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::CONFLICT, message)
    }

    /// Creates a refusal with [`Code::PRECONDITION_FAILED`]: a precondition does not hold.
    pub fn precondition_failed(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::PRECONDITION_FAILED, message)
    }

    /// Creates a refusal with [`Code::TOO_MANY_REQUESTS`] and the time to wait before a retry. The client receives it
    /// in whole milliseconds, rounded up.
    #[must_use]
    pub fn too_many_requests(retry_after: Duration) -> Self {
        Self::new(Code::TOO_MANY_REQUESTS, "too many requests").with_retry_after(retry_after)
    }

    /// Creates a refusal with [`Code::INTERNAL_SERVER_ERROR`] for a failure whose details are hidden from the client.
    /// `source` is logged and never sent: `row.fetch().await.map_err(Error::internal)?`.
    pub fn internal(source: impl Into<BoxError>) -> Self {
        Self::new(Code::INTERNAL_SERVER_ERROR, "internal error").with_source(source)
    }

    /// Creates a refusal with [`Code::BAD_REQUEST`] and every issue of a payload.
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

    /// Adds the cause, which is logged and never sent to the client.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Sets the time to wait before a retry: [`retry_after`](Self::retry_after).
    #[must_use]
    pub fn with_retry_after(mut self, retry_after: Duration) -> Self {
        self.0.retry_after = Some(retry_after);
        self
    }

    /// Copies the part that is sent to the client: everything but the source.
    pub(crate) fn without_source(&self) -> Self {
        let mut copy = Self::new(self.0.code, self.0.message.clone());
        copy.0.issues.clone_from(&self.0.issues);
        copy.0.retry_after = self.0.retry_after;
        copy.0.data.clone_from(&self.0.data);
        copy
    }

    /// Returns the code, for programs.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// Returns the sentence, for people.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns every issue of the payload, for [`Code::BAD_REQUEST`].
    #[must_use]
    pub fn issues(&self) -> &[Issue] {
        &self.0.issues
    }

    /// Returns the time to wait before a retry, for [`Code::TOO_MANY_REQUESTS`] and where it was set.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Returns the data as an `R`, or none if the refusal has another code.
    ///
    /// # Errors
    /// [`DataError`] if the refusal has the code of `R` and no data, or data of another shape.
    pub fn data<R: Refusal + DeserializeOwned>(&self) -> Result<Option<R>, DataError> {
        let data = self.0.data.as_deref();
        read_data(self.0.code.as_str(), data.map(RefusalData::as_json))
    }

    pub(crate) const fn has_data(&self) -> bool {
        self.0.data.is_some()
    }

    /// Returns the Rust type of the data, if there is some.
    #[doc(hidden)]
    #[must_use]
    pub fn data_type(&self) -> Option<DataType> {
        self.0.data.as_deref().map(|data| data.rust_type)
    }

    /// Returns the refusal as clients of the base protocol receive it.
    pub(crate) const fn without_data(&self) -> impl Serialize {
        WithoutData(self)
    }

    fn serialize_fields<S: Serializer>(
        &self,
        serializer: S,
        data: Option<&RefusalData>,
    ) -> Result<S::Ok, S::Error> {
        let fields = 2
            + usize::from(!self.issues().is_empty())
            + usize::from(self.retry_after().is_some())
            + usize::from(data.is_some());
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
        if let Some(data) = data {
            object.serialize_field("data", data)?;
        }
        object.end()
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

/// Writes the refusal as it stands on the wire of the extended protocol: `{"code","message"}`, and if present `"issues"`,
/// `"retryAfterMs"` and `"data"`.
impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.serialize_fields(serializer, self.0.data.as_deref())
    }
}

struct WithoutData<'a>(&'a Error);

impl Serialize for WithoutData<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize_fields(serializer, None)
    }
}

/// One violation of a rule by a payload.
///
/// On the wire:
/// `{"path":["tags",0],"code":"min_length","message":"at least 1 character, got 0","params":{"min":1}}`. An empty
/// `params` is left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Issue {
    /// Path from the payload's root, with the member names of the wire format. It is empty for the payload itself.
    pub path: Vec<Segment>,
    /// Code of the violated rule, for programs.
    pub code: Cow<'static, str>,
    /// Sentence for people.
    pub message: String,
    /// Numbers and names that the code refers to, such as a limit.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub params: serde_json::Map<String, serde_json::Value>,
}

impl Issue {
    /// Creates an issue without parameters.
    pub fn new(path: Vec<Segment>, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self {
            path,
            code: code.into(),
            message: message.into(),
            params: serde_json::Map::new(),
        }
    }

    /// Adds a parameter.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
        self.params.insert(name.to_owned(), value.into());
        self
    }
}

/// Writes `tags[0]: at least 1 character, got 0`, or the sentence alone at the payload's root.
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

/// One segment of the path to a value inside a payload.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Segment {
    /// Name of an object's member.
    Key(String),
    /// Position in an array, from 0.
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
