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
use sha1::{Digest, Sha1};
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

    /// Returns a hash of the same headers and fields that is the same on each node of an app. It has no key, so it is
    /// cryptographic: nobody can find other headers for it.
    pub(crate) fn shared_fingerprint(&self, request: &Parts, has_credentials: bool) -> u64 {
        let mut hasher = Sha1::new();
        // With their lengths, so that different parts never make the same text.
        let mut add = |part: &[u8]| {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        };
        let given = self.given(request, &mut Vec::new());
        add(&(given.len() as u64).to_be_bytes());
        for (name, value) in given {
            add(name.as_bytes());
            add(value.as_bytes());
        }
        for name in [AUTHORIZATION, COOKIE].iter().filter(|_| has_credentials) {
            let fields = request.headers.get_all(name);
            add(&(fields.iter().count() as u64).to_be_bytes());
            for value in fields {
                add(value.as_bytes());
            }
        }
        let digest = hasher.finalize();
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        u64::from_be_bytes(first)
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

#[cfg(test)]
mod tests {
    use garde::Validate;
    use http::Request;
    use schemars::JsonSchema;
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize, JsonSchema, Validate)]
    #[allow(dead_code, reason = "only the names are read")]
    #[garde(allow_unvalidated)]
    struct Headers {
        name: Option<String>,
        team: Option<String>,
    }

    /// Returns the shared fingerprint, as a node of its own has it.
    fn shared(query: &str, fields: &[(&str, &str)], has_credentials: bool) -> u64 {
        let mut request = Request::get(format!("/ws?{query}"));
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        HeaderRules::<Headers>::new(Checker::new()).shared_fingerprint(&parts, has_credentials)
    }

    #[test]
    fn a_shared_fingerprint_is_that_of_the_same_headers_on_each_node() {
        let ann = shared("name=ann&team=x", &[("cookie", "a=b")], false);
        assert_eq!(ann, shared("team=x&name=ann&other=1", &[], false));
        assert_eq!(ann, shared("", &[("Name", "ann"), ("team", "x")], false));
        let others = [
            "",
            "name=ann",
            "name=bob&team=x",
            "name=x&team=ann",
            "name=annx&team=",
            "name=ann&team=x%00",
            "team=x",
        ];
        for other in others {
            assert_ne!(ann, shared(other, &[], false), "{other}");
        }
    }

    #[test]
    fn a_shared_fingerprint_has_the_credentials_that_the_app_can_read() {
        let with = |fields: &[(&str, &str)]| shared("name=ann", fields, true);
        let cookie = with(&[("cookie", "a=b")]);
        assert_eq!(cookie, with(&[("cookie", "a=b"), ("accept", "x")]));
        let others: [&[(&str, &str)]; 5] = [
            &[],
            &[("cookie", "a=c")],
            &[("authorization", "a=b")],
            &[("cookie", "a=b"), ("authorization", "")],
            &[("cookie", "a"), ("cookie", "=b")],
        ];
        for other in others {
            assert_ne!(cookie, with(other), "{other:?}");
        }
    }
}
