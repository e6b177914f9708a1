//! Refusals that the server sends.

use std::{fmt, time::Duration};

use serde::{
    Deserialize,
    de::{DeserializeOwned, Deserializer, IgnoredAny},
};
use serde_json::value::RawValue;
use zocket_layers::{Code, DataError, Issue, Refusal, internal::read_data};

use super::issues::AfterMessage;

/// The reason why the server refused a call, or the connection.
///
/// Two refusals are equal if their members are, and if their data is the same JSON text.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(from = "Wire<IgnoredAny>")]
#[non_exhaustive]
pub struct ServerRefusal {
    /// The code, for programs: one of [`Code`]'s, or the app's own.
    pub code: String,
    /// The message, for people.
    pub message: String,
    /// Every issue of the payload or of the headers, for `BAD_REQUEST`.
    pub issues: Vec<Issue>,
    /// The delay before a retry can succeed, for `TOO_MANY_REQUESTS`; in whole milliseconds.
    pub retry_after: Option<Duration>,
    /// Read by [`data`](Self::data).
    pub(super) data: Option<Data>,
}

/// The data of a refusal, as JSON text: no other form keeps every number.
#[derive(Debug, Clone)]
pub(super) struct Data(Box<RawValue>);

impl Data {
    /// Reads the data of a refusal. Null is data, too.
    pub(super) fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
        Box::deserialize(deserializer).map(|json| Some(Self(json)))
    }
}

impl PartialEq for Data {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

/// A refusal in the wire format, with the `type` of the message in an `__error`. Its members are named one by one,
/// because the data of a flattened struct loses its text.
#[derive(Deserialize)]
struct Wire<T> {
    #[serde(default)]
    r#type: T,
    code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    issues: Vec<Issue>,
    #[serde(default, rename = "retryAfterMs")]
    retry_after_ms: Option<u64>,
    #[serde(default, deserialize_with = "Data::present")]
    data: Option<Data>,
}

impl<T> From<Wire<T>> for ServerRefusal {
    fn from(wire: Wire<T>) -> Self {
        Self {
            code: wire.code,
            message: wire.message,
            issues: wire.issues,
            retry_after: wire.retry_after_ms.map(Duration::from_millis),
            data: wire.data,
        }
    }
}

impl ServerRefusal {
    /// Creates a refusal from a code and a message, without anything else.
    pub(super) fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            issues: Vec::new(),
            retry_after: None,
            data: None,
        }
    }

    /// Returns true if the refusal has this code: `refusal.is(Code::CONFLICT)`.
    #[must_use]
    pub fn is(&self, code: Code) -> bool {
        self.code == code.as_str()
    }

    /// Returns the data as an `R`, or none if the refusal has another code.
    ///
    /// ```
    /// use schemars::JsonSchema;
    /// use serde::{Deserialize, Serialize};
    /// use zocket::{Code, Refusal, client::ServerRefusal};
    ///
    /// #[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
    /// struct Outbid { least: u64 }
    /// impl Refusal for Outbid { const CODE: Code = Code::app("OUTBID"); }
    ///
    /// let refusal = r#"{"code":"OUTBID","message":"the message was refused","data":{"least":1103}}"#;
    /// let refusal: ServerRefusal = serde_json::from_str(refusal)?;
    /// assert_eq!(refusal.data::<Outbid>()?, Some(Outbid { least: 1_103 }));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`DataError`] if the refusal has the code of `R` and no data, or data of another shape: the server has another
    /// contract.
    pub fn data<R: Refusal + DeserializeOwned>(&self) -> Result<Option<R>, DataError> {
        read_data(&self.code, self.data_json().map(str::as_bytes))
    }

    /// Returns the data as JSON text, for a program that passes it on. [`data`](Self::data) reads it.
    #[must_use]
    pub fn data_json(&self) -> Option<&str> {
        self.data.as_ref().map(|data| data.0.get())
    }
}

/// Formats the code and the message: `CONFLICT: the name is taken`. The issues follow if the message does not name them,
/// as that of refused connect headers: `BAD_REQUEST: Invalid headers: name: at least 1 character, got 0`. Those beyond 500
/// characters are counted.
impl fmt::Display for ServerRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            code,
            message,
            issues,
            ..
        } = self;
        write!(f, "{code}: {message}{}", AfterMessage { message, issues })
    }
}

impl std::error::Error for ServerRefusal {}

/// The failure of a message that requests no answer, sent by [`Client::send`](super::Client::send). Received from
/// [`Client::errors`](super::Client::errors).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(from = "Wire<Option<String>>")]
#[non_exhaustive]
pub struct SendFailure {
    /// The message's route, unless the server could not read it.
    pub route: Option<String>,
    /// The reason for the failure.
    pub refusal: ServerRefusal,
}

impl From<Wire<Option<String>>> for SendFailure {
    fn from(mut wire: Wire<Option<String>>) -> Self {
        Self {
            route: wire.r#type.take(),
            refusal: wire.into(),
        }
    }
}

impl SendFailure {
    /// Returns true if the refusal has this code, as [`ServerRefusal::is`] does.
    #[must_use]
    pub fn is(&self, code: Code) -> bool {
        self.refusal.is(code)
    }

    /// Returns the data of the refusal as an `R`, as [`ServerRefusal::data`] does.
    ///
    /// # Errors
    /// Those of [`ServerRefusal::data`].
    pub fn data<R: Refusal + DeserializeOwned>(&self) -> Result<Option<R>, DataError> {
        self.refusal.data()
    }
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde::Serialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
    struct Total(u128);

    impl Refusal for Total {
        const CODE: Code = Code::app("TOTAL");
    }

    /// Data that JSON writes as null.
    #[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
    struct Gone;

    impl Refusal for Gone {
        const CODE: Code = Code::app("GONE");
    }

    fn refusal(json: &str) -> ServerRefusal {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn data_of_each_kind_is_read_or_an_error() {
        let of = |members: &str| refusal(&format!(r#"{{"code":"TOTAL","message":"no"{members}}}"#));
        let largest = of(r#","data":340282366920938463463374607431768211455"#);
        assert_eq!(largest.data::<Total>().unwrap(), Some(Total(u128::MAX)));
        assert_eq!(largest.data::<Gone>().unwrap(), None, "another code");
        for unfit in ["", r#","data":null"#, r#","data":"1""#, r#","data":{"a":1}"#] {
            let error = of(unfit).data::<Total>().unwrap_err().to_string();
            assert!(error.contains("TOTAL") && error.contains("Total"), "{error}");
        }
    }

    #[test]
    fn data_that_is_null_differs_from_none() {
        let null = refusal(r#"{"code":"GONE","data":null}"#);
        assert_eq!(null.data::<Gone>().unwrap(), Some(Gone));
        let none = refusal(r#"{"code":"GONE"}"#);
        assert!(none.data::<Gone>().is_err());
        assert_ne!(null, none);
    }

    #[test]
    fn refusals_are_equal_if_their_data_is() {
        let of = |data: &str| refusal(&format!(r#"{{"code":"TOTAL","data":{data}}}"#));
        assert_eq!(of("1"), of("1"));
        // As floats, both would be the same number.
        assert_ne!(
            of("340282366920938463463374607431768211455"),
            of("340282366920938463463374607431768211454")
        );
    }

    #[test]
    fn a_failure_has_the_route_and_everything_of_its_refusal() {
        let failure: SendFailure = serde_json::from_str(
            r#"{"type":"lot.bid","code":"TOTAL","message":"no","retryAfterMs":5,"data":18446744073709551616}"#,
        )
        .unwrap();
        assert_eq!(failure.route.as_deref(), Some("lot.bid"));
        assert_eq!(failure.refusal.retry_after, Some(Duration::from_millis(5)));
        assert_eq!(failure.data::<Total>().unwrap(), Some(Total(1 << 64)));
        assert!(failure.is(Total::CODE) && !failure.is(Gone::CODE));
        let unread: SendFailure = serde_json::from_str(r#"{"code":"PARSE_ERROR"}"#).unwrap();
        assert_eq!(
            (unread.route, unread.refusal.code.as_str()),
            (None, "PARSE_ERROR")
        );
    }
}
