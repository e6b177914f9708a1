use std::fmt;

use tower::Layer;

use super::{Checker, Input, ValidateService};

/// Parses each raw payload into a `T`, or refuses the message with BAD_REQUEST and every issue of the payload.
pub struct ValidateLayer<T> {
    pub(super) checker: Checker<T>,
    pub(super) ignore: bool,
    pub(super) limit: usize,
}

impl<T: Input> ValidateLayer<T> {
    /// Creates a layer that checks payloads against `T`: its shape by serde, its constraints by garde. An absent
    /// payload counts as null.
    #[must_use]
    pub fn new() -> Self {
        Self {
            checker: Checker::new(),
            ignore: false,
            limit: usize::MAX,
        }
    }
}

impl ValidateLayer<()> {
    /// Creates a layer for messages without an input. It ignores the payload, if there is one.
    #[must_use]
    pub fn ignoring() -> Self {
        Self {
            ignore: true,
            ..Self::new()
        }
    }
}

impl<T> ValidateLayer<T> {
    /// Refuses payloads of more than `limit` bytes with PAYLOAD_TOO_LARGE, before they are parsed.
    #[must_use]
    pub fn max_bytes(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }
}

impl<T: Input> Default for ValidateLayer<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Clone for ValidateLayer<T> {
    fn clone(&self) -> Self {
        Self {
            checker: self.checker,
            ignore: self.ignore,
            limit: self.limit,
        }
    }
}

impl<T> fmt::Debug for ValidateLayer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ValidateLayer<{}>", std::any::type_name::<T>())
    }
}

impl<S, T> Layer<S> for ValidateLayer<T> {
    type Service = ValidateService<S, T>;

    fn layer(&self, inner: S) -> Self::Service {
        ValidateService::new(inner, self.clone())
    }
}
