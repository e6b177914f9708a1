//! Checks by the compiler that a procedure fits the message that it receives.

/// The type of a procedure's input is `M`. Implemented by `M` alone.
#[diagnostic::on_unimplemented(
    message = "the procedure takes the input `{Self}`, and the message that it receives is `{M}`",
    label = "takes `{Self}`",
    note = "make the handler's second argument a `{M}`, or declare it by `.input::<{M}>()` where the handler takes none",
    note = "`()` is the input of a procedure that declares none"
)]
pub trait InputIs<M> {}

impl<M> InputIs<M> for M {}

/// The type of a procedure's answer is `A`, the `Answer` of the message that it receives. Implemented by `A` alone.
#[diagnostic::on_unimplemented(
    message = "the procedure answers `{Self}`, and the message that it receives is answered by `{A}`",
    label = "answers `{Self}`",
    note = "make its handler return `Result<{A}, Error>`, or write `type Answer = {Self}` in the message's `impl Incoming`",
    note = "`()` is the answer of a procedure that answers nothing"
)]
pub trait AnswerIs<A> {}

impl<A> AnswerIs<A> for A {}
