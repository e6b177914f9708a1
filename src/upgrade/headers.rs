//! Connect headers: the request's header fields and the URL's query parameters as one map.

use http::{header::COOKIE, request::Parts};
use serde_json::{Map, Value};
use zocket_layers::{Checker, Input, Issue};

/// The names and rules that an app's headers type declares.
pub(crate) struct HeaderRules<H> {
    checker: Checker<H>,
    names: Vec<String>,
}

impl<H: Input> HeaderRules<H> {
    pub(crate) fn new(checker: Checker<H>) -> Self {
        let names = checker.names();
        Self { checker, names }
    }

    /// Returns the declared names.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Reads the declared headers of a request and validates them.
    ///
    /// The names of header fields are compared without regard to case. Several fields of one name are joined by ", "
    /// (RFC 9110, section 5.3), those of `Cookie` by "; " (RFC 9113, section 8.2.3). If there is no field, the last query parameter with exactly the declared name is used.
    /// A parameter never replaces a field, because a proxy that the app trusts may have set the field.
    ///
    /// # Errors
    /// Every issue of the headers.
    pub(crate) fn read(&self, request: &Parts) -> Result<H, Vec<Issue>> {
        let mut given = Map::new();
        let mut issues = Vec::new();
        for name in &self.names {
            let fields = request.headers.get_all(name.as_str()).iter();
            match fields
                .map(|field| std::str::from_utf8(field.as_bytes()))
                .collect::<Result<Vec<_>, _>>()
            {
                Ok(fields) if fields.is_empty() => {}
                Ok(fields) => {
                    given.insert(name.clone(), Value::String(fields.join(separator(name))));
                }
                Err(_) => issues.push(Issue::new(
                    vec![name.as_str().into()],
                    "encoding",
                    "expected UTF-8",
                )),
            }
        }
        for (name, value) in url::form_urlencoded::parse(request.uri.query().unwrap_or_default().as_bytes()) {
            if self.names.iter().any(|declared| *declared == name) && !request.headers.contains_key(&*name) {
                given.insert(name.into_owned(), Value::String(value.into_owned()));
            }
        }
        let checked = self.checker.check(Value::Object(given).to_string().as_bytes());
        if issues.is_empty() {
            return checked;
        }
        // Fields that are not UTF-8 were left out of the check, so its issues about them are dropped. Its other issues
        // are reported too.
        let unread: Vec<_> = issues.iter().map(|issue| issue.path[0].clone()).collect();
        let others = checked.err().into_iter().flatten();
        issues.extend(others.filter(|issue| issue.path.first().is_none_or(|name| !unread.contains(name))));
        Err(issues)
    }
}

/// Returns the text that joins several fields of one name.
fn separator(name: &str) -> &'static str {
    if name.eq_ignore_ascii_case(COOKIE.as_str()) {
        "; "
    } else {
        ", "
    }
}
