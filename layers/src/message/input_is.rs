use super::Incoming;

/// A procedure with this input can receive the message `M`. Implemented by `M`, and by `()` for a message without
/// members: a procedure without input ignores the payload.
#[diagnostic::on_unimplemented(
    message = "the procedure takes the input `{Self}`, and the message that it receives is `{M}`",
    label = "takes `{Self}`",
    note = "make the handler's second argument a `{M}`, or declare it by `.input::<{M}>()` where the handler takes none"
)]
pub trait InputIs<M> {
    /// Proof that the procedure ignores no member of the message. A router evaluates it where it receives the message, so
    /// that a build fails otherwise.
    const IGNORES_NOTHING: ();
}

impl<M> InputIs<M> for M {
    const IGNORES_NOTHING: () = ();
}

/// `()` is never `Incoming`, so the implementations do not overlap. Only the crate that has `Incoming` may rely on that.
impl<M: Incoming> InputIs<M> for () {
    // `expect` and no `assert!`: the compiler's error then points here, and quotes no source of the standard library.
    #[allow(clippy::expect_used, reason = "evaluated by the compiler")]
    const IGNORES_NOTHING: () = match size_of::<M>() {
        0 => Some(()),
        _ => None,
    }
    .expect(
        "the message has members, and the procedure that receives it has no input: make the message the second argument \
         of the handler, or declare it by `.input::<..>()` where the handler takes none",
    );
}
