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
///
/// A message without a payload is a unit struct. Its procedure has no input, so the type needs neither constraints nor a
/// schema. A client that calls by it needs `Serialize`, and sends null:
///
/// ```
/// use serde::Serialize;
/// use zocket_layers::Incoming;
///
/// #[derive(Serialize)]
/// struct Close;
///
/// impl Incoming for Close {
///     const TYPE: &'static str = "lot.close";
///     type Answer = ();
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no incoming message",
    label = "needs `impl Incoming for {Self} {{ const TYPE: &'static str = \"…\"; type Answer = …; }}`",
    note = "where it is `()`, no type names the message: write a unit struct for a message without a payload"
)]
pub trait Incoming {
    /// Full dotted name of the route, the `type` of the frame.
    const TYPE: &'static str;

    /// Type of the answer; `()` for a procedure that answers nothing.
    type Answer;
}
