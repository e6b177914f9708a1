use std::{fmt, sync::Arc};

use zocket_layers::{Codec, Declared, internal::inspect};

use super::origin::UnchosenOrigins;
use crate::router::RouterError;

/// Properties of a stack, for its connections.
pub(crate) struct ServeOptions {
    /// The codec that clients may negotiate. `None` if frames are opaque to the stack.
    pub(super) codec: Option<Codec>,
    /// Hash of the contract. `None` for a stack without one.
    pub(super) contract: Option<Arc<str>>,
    /// Events that may be sent. By default all.
    pub(super) declared: Declared,
}

impl ServeOptions {
    /// Creates the options of a stack that decodes with this codec.
    pub(crate) fn with_codec(codec: Codec) -> Self {
        Self {
            codec: Some(codec),
            contract: None,
            declared: Declared::default(),
        }
    }

    /// Inspects a stack composed by hand, for an app whose context is `C`.
    ///
    /// # Errors
    /// [`StackError`] for a `ContextLayer` of another type than `C`.
    pub(crate) fn of_stack<C: 'static, S: Clone>(stack: &S) -> Result<Self, StackError> {
        let inspection = inspect(stack);
        if let Some(found) = inspection.context_other_than::<C>() {
            let expected = std::any::type_name::<C>();
            return Err(StackError(Misfit::Context { expected, found }));
        }
        Ok(Self {
            codec: inspection.codec(),
            contract: None,
            declared: Declared::default(),
        })
    }

    /// Sets the hash of the contract.
    pub(crate) fn contract(mut self, hash: &str) -> Self {
        self.contract = Some(hash.into());
        self
    }

    /// Restricts the events that may be sent to the declared ones.
    pub(crate) fn declared(mut self, declared: &Declared) -> Self {
        self.declared = declared.clone();
        self
    }
}

/// Error of a stack that does not fit its app: the type of its [`ContextLayer`](zocket_layers::ContextLayer) is not
/// the type of the app's context. Or of an app whose connect headers have types that no text can hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackError(Misfit);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Misfit {
    Context {
        expected: &'static str,
        found: &'static str,
    },
    Headers(Vec<String>),
}

impl StackError {
    pub(crate) const fn of_headers(problems: Vec<String>) -> Self {
        Self(Misfit::Headers(problems))
    }
}

impl fmt::Display for StackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Misfit::Context { expected, found } => write!(
                f,
                "the stack has a `ContextLayer::<{found}>`, and `on_connect` makes a `{expected}`: expected \
                 `ContextLayer::<{expected}>`"
            ),
            Misfit::Headers(problems) => f.write_str(&problems.join("; ")),
        }
    }
}

impl std::error::Error for StackError {}

/// The reason why an app can't be served.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServeError {
    /// The router is invalid. The error lists its problems.
    Router(RouterError),
    /// The stack does not fit the app.
    Stack(StackError),
    /// `on_connect` can read a cookie, and the app has not chosen the pages that may connect.
    Origins(UnchosenOrigins),
}

impl From<RouterError> for ServeError {
    fn from(error: RouterError) -> Self {
        Self::Router(error)
    }
}

impl From<StackError> for ServeError {
    fn from(error: StackError) -> Self {
        Self::Stack(error)
    }
}

impl From<UnchosenOrigins> for ServeError {
    fn from(error: UnchosenOrigins) -> Self {
        Self::Origins(error)
    }
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Router(error) => error.fmt(f),
            Self::Stack(error) => error.fmt(f),
            Self::Origins(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ServeError {}
