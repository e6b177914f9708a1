//! Connect headers: the request's header fields and the URL's query parameters as one map.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher, Hash, Hasher, RandomState},
};

use http::{
    header::{AUTHORIZATION, COOKIE},
    request::Parts,
};
use schemars::SchemaGenerator;
use serde_json::Value;
use zocket_layers::{Checker, Input, Issue};

use super::HeaderKinds;

/// The names and rules that an app's headers type declares.
pub(crate) struct HeaderRules<H> {
    checker: Checker<H>,
    names: Vec<String>,
    kinds: HeaderKinds,
    /// The key of the fingerprints.
    key: RandomState,
}

impl<H: Input> HeaderRules<H> {
    pub(crate) fn new(checker: Checker<H>) -> Self {
        let names = checker.names();
        let kinds = HeaderKinds::of(SchemaGenerator::subschema_for::<H>);
        Self {
            checker,
            names,
            kinds,
            key: RandomState::new(),
        }
    }

    /// Returns a keyed hash of the declared headers of a request. With `has_credentials`, the fields `Cookie` and
    /// `Authorization` are part of it.
    pub(crate) fn fingerprint(&self, request: &Parts, has_credentials: bool) -> u64 {
        let mut hasher = self.key.build_hasher();
        self.given(request, &mut Vec::new()).hash(&mut hasher);
        for name in [AUTHORIZATION, COOKIE].iter().filter(|_| has_credentials) {
            for value in request.headers.get_all(name) {
                value.as_bytes().hash(&mut hasher);
            }
        }
        hasher.finish()
    }

    /// Returns the declared names.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Reads the declared headers of a request and validates them.
    ///
    /// The names of header fields are compared without regard to case. Several fields of one name are joined by ", "
    /// (RFC 9110, section 5.3), those of `Cookie` by "; " (RFC 9113, section 8.2.3). If there is no field, the last query
    /// parameter with exactly the declared name is used. A parameter never replaces a field, because a proxy that the app
    /// trusts may have set the field. Numbers and booleans are parsed from their text.
    ///
    /// # Errors
    /// Every issue of the headers.
    pub(crate) fn read(&self, request: &Parts) -> Result<H, Vec<Issue>> {
        let mut issues = Vec::new();
        let given = self.given(request, &mut issues);
        let members = given
            .iter()
            .map(|(name, text)| format!("{}:{}", Value::from(*name), self.kinds.json(name, text)));
        let json = format!("{{{}}}", members.collect::<Vec<_>>().join(","));
        let checked = self.checker.check(json.as_bytes());
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

    /// Returns the declared headers that a request has, as text. Appends the issues of those that are none.
    fn given<'a>(&'a self, request: &Parts, issues: &mut Vec<Issue>) -> BTreeMap<&'a str, String> {
        let mut given = BTreeMap::new();
        for name in &self.names {
            let fields = request.headers.get_all(name.as_str()).iter();
            match fields
                .map(|field| std::str::from_utf8(field.as_bytes()))
                .collect::<Result<Vec<_>, _>>()
            {
                Ok(fields) if fields.is_empty() => {}
                Ok(fields) => {
                    given.insert(name.as_str(), fields.join(separator(name)));
                }
                Err(_) => issues.push(Issue::new(
                    vec![name.as_str().into()],
                    "encoding",
                    "expected UTF-8",
                )),
            }
        }
        for (name, value) in url::form_urlencoded::parse(request.uri.query().unwrap_or_default().as_bytes()) {
            if let Some(declared) = self.names.iter().find(|declared| **declared == name)
                && !request.headers.contains_key(&*name)
            {
                given.insert(declared, value.into_owned());
            }
        }
        given
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
