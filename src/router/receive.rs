//! Checks by the compiler that a procedure fits the message that it receives.

/// The type of a procedure's input is `M`. Implemented by `M` alone.
#[diagnostic::on_unimplemented(
    message = "the procedure takes the input `{Self}`, and the message that it receives is `{M}`",
    label = "takes `{Self}`",
    note = "the second argument of the handler is the input, or `.input::<T>()` declares it: it has to be `{M}`"
)]
pub trait InputIs<M> {}

impl<M> InputIs<M> for M {}

/// The type of a procedure's answer is `A`, the `Answer` of the message that it receives. Implemented by `A` alone.
#[diagnostic::on_unimplemented(
    message = "the procedure answers `{Self}`, and the message that it receives is answered by `{A}`",
    label = "answers `{Self}`",
    note = "the handler returns `Result<{A}, Error>`, or `type Answer = {Self}` in the message's `impl Incoming`"
)]
pub trait AnswerIs<A> {}

impl<A> AnswerIs<A> for A {}
