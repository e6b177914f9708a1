//! Refusals that procedures declare: codes of the app, with or without data.

use std::collections::BTreeMap;

use schemars::SchemaGenerator;
use zocket_layers::{
    Code, Error, Refusal,
    internal::{DataType, RefusalRules},
};

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

/// The part of a route that refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refuser {
    /// A procedure, which may refuse as it declares.
    Procedure,
    /// A layer of the router. It may refuse with any code that the procedure does not declare.
    Layer,
    /// A layer of the app, with the same rule.
    AppLayer,
}

impl Refuser {
    /// Returns the mistake of a refusal, for the log. Clients can know neither an undeclared code of a procedure nor other
    /// data than declared.
    pub(super) fn mistake(self, error: &Error, declared: &[DeclaredRefusal]) -> Option<String> {
        let (code, sent) = (error.code(), error.data_type());
        let of_code = declared.iter().find(|refusal| refusal.code == code);
        let (said, remedy) = match of_code.map(DeclaredRefusal::rust_type) {
            Some(declared) if declared == sent => return None,
            Some(Some(data)) => (
                format!("and the procedure declares {}", described(Some(data))),
                format!("refuse by `Error::refuse(..)` with a `{}`", data.name()),
            ),
            Some(None) => (
                "and the procedure declares no data".to_owned(),
                format!(
                    "declare it by `.refuses::<{}>()` in place of `.declare_code(..)`",
                    sent.map_or("_", DataType::name)
                ),
            ),
            None if self != Self::Procedure => return None,
            None => match sent {
                None if code.is_protocol() => return None,
                None => (
                    "which it does not declare".to_owned(),
                    "add `.declare_code(..)` to it".to_owned(),
                ),
                Some(data) => (
                    "which it does not declare".to_owned(),
                    format!("add `.refuses::<{}>()` to it", data.name()),
                ),
            },
        };
        let who = match self {
            Self::Procedure => "the procedure",
            Self::Layer => "a layer of the router",
            Self::AppLayer => "a layer of the app",
        };
        Some(format!(
            "{who} refused with `{code}` and {}, {said}: {remedy}",
            described(sent)
        ))
    }
}

/// The declarations of a route, for the refusals of layers of the app.
#[derive(Debug)]
pub(super) struct AroundRouter(pub(super) Vec<DeclaredRefusal>);

impl RefusalRules for AroundRouter {
    fn declared(&self) -> Vec<(Code, Option<DataType>)> {
        let declared = self.0.iter();
        declared
            .map(|refusal| (refusal.code, refusal.rust_type()))
            .collect()
    }

    fn mistake(&self, refusal: &Error) -> Option<String> {
        Refuser::AppLayer.mistake(refusal, &self.0)
    }
}

fn described(data: Option<DataType>) -> String {
    match data {
        Some(data) => format!("data of the type `{}`", data.name()),
        None => "no data".to_owned(),
    }
}

/// Returns the problems of declared refusals: a code with two types, or with and without data; data with a code of the
/// protocol.
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
