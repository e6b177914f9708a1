//! Refusals that procedures declare: codes of the app, with or without data.

use std::collections::BTreeMap;

use schemars::SchemaGenerator;
use zocket_layers::{Code, Error, Refusal, internal::DataType};

use super::RouteDeclaration;
use crate::contract::SchemaOf;

/// A code that a procedure may refuse with, and the data that it comes with.
#[derive(Debug, Clone)]
pub(crate) struct DeclaredRefusal {
    pub(crate) code: Code,
    pub(crate) data: Option<DeclaredData>,
}

/// Type of the data that a refusal carries.
#[derive(Debug, Clone)]
pub(crate) struct DeclaredData {
    rust_type: DataType,
    pub(crate) schema: SchemaOf,
}

impl DeclaredRefusal {
    pub(crate) const fn of_code(code: Code) -> Self {
        Self { code, data: None }
    }

    pub(crate) fn of<R: Refusal>() -> Self {
        let data = DeclaredData {
            rust_type: DataType::of::<R>(),
            schema: SchemaGenerator::subschema_for::<R>,
        };
        Self {
            code: R::CODE,
            data: Some(data),
        }
    }

    fn rust_type(&self) -> Option<DataType> {
        self.data.as_ref().map(|data| data.rust_type)
    }
}

/// Returns the mistake of a procedure that refuses with `error` and declares `declared`. Clients can know neither an
/// undeclared code nor other data than declared.
pub(super) fn mistake(error: &Error, declared: &[DeclaredRefusal]) -> Option<String> {
    let (code, sent) = (error.code(), error.data_type());
    let of_code = declared.iter().find(|refusal| refusal.code == code);
    let described = |data: Option<DataType>| match data {
        Some(data) => format!("data of the type `{}`", data.name()),
        None => "no data".to_owned(),
    };
    match (of_code, sent) {
        (Some(refusal), sent) if refusal.rust_type() == sent => None,
        (Some(refusal), sent) => Some(format!(
            "the procedure refused with `{code}` and {}, and declares {}",
            described(sent),
            described(refusal.rust_type())
        )),
        (None, Some(data)) => Some(format!(
            "the procedure refused with `{code}` and {}, which it does not declare: add `.refuses::<{}>()` to it",
            described(sent),
            data.name()
        )),
        (None, None) if code.is_protocol() => None,
        (None, None) => Some(format!(
            "the procedure refused with `{code}` ({error}), which it does not declare: add `.declare_code(..)` to it"
        )),
    }
}

/// Returns the problems of declared refusals: a code with two types, with and without data, or of the protocol.
pub(super) fn problems_of(routes: &[RouteDeclaration]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut known = BTreeMap::<&str, (&DeclaredRefusal, &RouteDeclaration)>::new();
    for route in routes {
        for refusal in &route.traits.refusals {
            let code = refusal.code;
            if let Some(data) = refusal.rust_type().filter(|_| code.is_protocol()) {
                problems.push(format!(
                    "route `{}` ({}) declares `{}` as data of `{code}`, a code of the protocol, which the framework refuses \
                     with, too: give it a code of the app, by `Code::app(..)`",
                    route.path,
                    route.location,
                    data.name()
                ));
            }
            let (first, owner) = *known.entry(code.as_str()).or_insert((refusal, route));
            if first.rust_type() != refusal.rust_type() {
                let data = |refusal: &DeclaredRefusal| match refusal.rust_type() {
                    Some(data) => format!("with `{}`", data.name()),
                    None => "without data".to_owned(),
                };
                problems.push(format!(
                    "the code `{code}` is declared {} by route `{}` ({}) and {} by route `{}` ({})",
                    data(first),
                    owner.path,
                    owner.location,
                    data(refusal),
                    route.path,
                    route.location
                ));
            }
        }
    }
    problems
}
