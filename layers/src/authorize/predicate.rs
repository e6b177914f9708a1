use std::fmt;

use crate::{
    context::Context,
    error::{Code, Error},
    message::Message,
};

/// Predicate of an [`AuthorizeLayer`](super::AuthorizeLayer), called with each message.
pub trait Predicate<P, C> {
    /// Type of the decision: `bool` or `Result<(), Error>`.
    type Verdict: Verdict;

    /// Decides if a message is allowed.
    fn decide(&self, message: &Message<P, C>) -> Self::Verdict;
}

/// Predicate that reads the whole message, made by [`AuthorizeLayer::new`](super::AuthorizeLayer::new). It is a type of
/// its own, so that its [`Predicate`] impl does not overlap with that of [`OfContext`].
#[derive(Clone, Copy)]
pub struct OfMessage<F>(pub(super) F);

/// Predicate that reads only the message's context, made by
/// [`AuthorizeLayer::context`](super::AuthorizeLayer::context).
#[derive(Clone, Copy)]
pub struct OfContext<F>(pub(super) F);

impl<F, P, C, V> Predicate<P, C> for OfMessage<F>
where
    F: Fn(&Message<P, C>) -> V,
    V: Verdict,
{
    type Verdict = V;

    fn decide(&self, message: &Message<P, C>) -> V {
        (self.0)(message)
    }
}

impl<F, P, C, V> Predicate<P, Context<C>> for OfContext<F>
where
    F: Fn(&Context<C>) -> V,
    V: Verdict,
{
    type Verdict = V;

    fn decide(&self, message: &Message<P, Context<C>>) -> V {
        (self.0)(message.context())
    }
}

impl<F> fmt::Debug for OfMessage<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OfMessage<{}>", std::any::type_name::<F>())
    }
}

impl<F> fmt::Debug for OfContext<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OfContext<{}>", std::any::type_name::<F>())
    }
}

/// Decision of a predicate: `bool`, or `Result<(), Error>` with its own refusal.
pub trait Verdict {
    /// Returns the refusal, if there is one. It has `code` if the decision has no error of its own.
    ///
    /// # Errors
    /// The refusal.
    fn into_result(self, code: Code) -> Result<(), Error>;
}

impl Verdict for bool {
    fn into_result(self, code: Code) -> Result<(), Error> {
        match self {
            true => Ok(()),
            false if code == Code::UNAUTHORIZED => Err(Error::unauthorized("sign in first")),
            false => Err(Error::new(code, "not allowed")),
        }
    }
}

impl Verdict for Result<(), Error> {
    fn into_result(self, _: Code) -> Result<(), Error> {
        self
    }
}
