/// A message that the server receives, as a type: its route, its payload (`Self`), and its answer. Clients call by the
/// type, and a router that receives it refuses a procedure with another input or answer.
///
/// ```
/// use garde::Validate;
/// use schemars::JsonSchema;
/// use serde::{Deserialize, Serialize};
/// use zocket_layers::Incoming;
///
/// /// A bid for a lot.
/// #[derive(Serialize, Deserialize, JsonSchema, Validate)]
/// struct Bid {
///     #[garde(range(min = 1))]
///     cents: u64,
/// }
///
/// #[derive(Serialize, Deserialize, JsonSchema)]
/// struct Price {
///     cents: u64,
/// }
///
/// impl Incoming for Bid {
///     const TYPE: &'static str = "lot.bid";
///     type Answer = Price;
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no incoming message",
    label = "needs `impl Incoming for {Self} {{ const TYPE: &'static str = \"…\"; type Answer = …; }}`",
    note = "where it is `()`, the procedure has no input that could be the message: make the message the second argument \
            of its handler"
)]
pub trait Incoming {
    /// Full dotted name of the route, the `type` of the frame.
    const TYPE: &'static str;

    /// Type of the answer; `()` for a procedure that answers nothing.
    type Answer;
}
