//! Check by the compiler that a procedure answers as the message that it receives says.

/// The type of a procedure's answer is `A`, the `Answer` of the message that it receives. Implemented by `A` alone.
#[diagnostic::on_unimplemented(
    message = "the procedure answers `{Self}`, and the message that it receives is answered by `{A}`",
    label = "answers `{Self}`",
    note = "make its handler return `Result<{A}, Error>`, or write `type Answer = {Self}` in the message's `impl Incoming`",
    note = "`()` is the answer of a procedure that answers nothing"
)]
pub trait AnswerIs<A> {}

impl<A> AnswerIs<A> for A {}
