//! The connect headers that a client sends in its handshake.

use std::{future::Future, pin::Pin};

use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use serde_json::Value;
use tower::BoxError;

use super::{BuildError, Outage};

/// Connect headers in the form in which they are sent.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Headers {
    /// Headers that are valid as HTTP fields of the request.
    pub(crate) fields: HeaderMap,
    /// Headers that no field can carry. They are added to the URL's query, which the server reads as well.
    pub(crate) query: Vec<(String, String)>,
}

type PerAttempt =
    Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<Headers, Outage>> + Send>> + Send + Sync>;

/// The source of the headers of each attempt.
pub(crate) enum Source {
    Fixed(Headers),
    PerAttempt(PerAttempt),
}

impl Source {
    pub(crate) fn per_attempt<F, Fut, H>(make: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<H, BoxError>> + Send + 'static,
        H: Serialize,
    {
        Self::PerAttempt(Box::new(move || {
            let made = make();
            Box::pin(async move {
                let headers = made.await.map_err(|error| Outage::Headers(error.into()))?;
                Ok(Headers::of(&headers)?)
            })
        }))
    }

    /// Returns the headers for one attempt.
    pub(crate) async fn get(&self) -> Result<Headers, Outage> {
        match self {
            Self::Fixed(headers) => Ok(headers.clone()),
            Self::PerAttempt(make) => make().await,
        }
    }
}

/// Header names that belong to the handshake, together with those that start with `sec-websocket-`.
const RESERVED: [&str; 7] = [
    "host",
    "connection",
    "upgrade",
    "content-length",
    "transfer-encoding",
    "te",
    "trailer",
];

impl Headers {
    /// Converts an object of strings, numbers and booleans, which are sent as their text. Members that are null are left
    /// out.
    pub(crate) fn of(headers: &(impl Serialize + ?Sized)) -> Result<Self, BuildError> {
        let value = serde_json::to_value(headers).map_err(|error| BuildError::Headers(error.to_string()))?;
        let members = match value {
            Value::Object(members) => members,
            Value::Null => return Ok(Self::default()),
            _ => return Err(BuildError::Headers("expected an object".to_owned())),
        };
        let mut converted = Self::default();
        for (name, value) in members {
            match value {
                Value::Null => {}
                Value::String(value) => converted.add(name, value)?,
                Value::Number(_) | Value::Bool(_) => converted.add(name, value.to_string())?,
                Value::Array(_) | Value::Object(_) => {
                    let problem = format!("`{name}`: expected a string, a number or a boolean");
                    return Err(BuildError::Headers(problem));
                }
            }
        }
        Ok(converted)
    }

    fn add(&mut self, name: String, value: String) -> Result<(), BuildError> {
        let lower = name.to_ascii_lowercase();
        if RESERVED.contains(&lower.as_str()) || lower.starts_with("sec-websocket-") {
            return Err(BuildError::Headers(format!(
                "`{name}`: expected a name that the handshake does not use"
            )));
        }
        // HTTP strips the whitespace around a field's value, and allows no control characters in it.
        let field = (value.trim() == value).then(|| {
            (
                HeaderName::try_from(&name),
                HeaderValue::from_bytes(value.as_bytes()),
            )
        });
        match field {
            Some((Ok(name), Ok(value))) => drop(self.fields.insert(name, value)),
            _ => self.query.push((name, value)),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_that_no_header_field_can_carry_move_to_the_query() {
        let headers = Headers::of(&json!({
            "name": "Zoë", "lines": "a\nb", "space": " x", "a name": "y", "absent": null,
        }))
        .unwrap();
        assert_eq!(headers.fields.len(), 1);
        assert_eq!(headers.fields["name"].as_bytes(), "Zoë".as_bytes());
        let mut names: Vec<_> = headers.query.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["a name", "lines", "space"]);
    }

    #[test]
    fn numbers_and_booleans_are_sent_as_their_text() {
        let headers = Headers::of(&json!({ "room": 4, "ratio": -0.5, "flag": true })).unwrap();
        let text = |name: &str| headers.fields[name].to_str().unwrap();
        assert_eq!((text("room"), text("ratio"), text("flag")), ("4", "-0.5", "true"));
    }

    #[test]
    fn only_objects_of_such_values_are_headers() {
        assert_eq!(Headers::of(&()), Ok(Headers::default()));
        for bad in [
            json!(1),
            json!({ "n": [1] }),
            json!({ "n": {} }),
            json!({ "Host": "a" }),
            json!({ "sec-websocket-key": "a" }),
        ] {
            assert!(Headers::of(&bad).is_err(), "{bad}");
        }
    }
}
