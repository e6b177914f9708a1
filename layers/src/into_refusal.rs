//! Conversion by `?`.

use crate::error::Error;

/// An error that `?` turns into a refusal: errors of this crate with a code of their own.
///
/// Of any other error `?` can't know if the client may see it, so the handler says it:
///
/// ```
/// use zocket_layers::{Code, Error};
///
/// fn read(path: &str) -> Result<String, Error> {
///     // The log has the cause, the client an id to ask by.
///     std::fs::read_to_string(path).map_err(Error::internal)
/// }
///
/// fn parse(number: &str) -> Result<u8, Error> {
///     // The client receives the code and the sentence, the log the cause as well.
///     number.parse::<u8>().map_err(|error| Error::new(Code::BAD_REQUEST, "expected 0 to 255").with_source(error))
/// }
/// # assert_eq!(read("").unwrap_err().code(), Code::INTERNAL_SERVER_ERROR);
/// # assert_eq!(parse("256").unwrap_err().code(), Code::BAD_REQUEST);
/// ```
///
/// An error type of the app's own implements `From` instead, and `?` converts it:
///
/// ```
/// use zocket_layers::{Code, Error};
///
/// struct RoomFull;
///
/// impl From<RoomFull> for Error {
///     fn from(_: RoomFull) -> Self {
///         Self::new(Code::app("ROOM_FULL"), "this room holds 8 players")
///     }
/// }
///
/// fn enter() -> Result<(), Error> {
///     Err(RoomFull)?
/// }
/// # assert_eq!(enter().unwrap_err().code(), Code::app("ROOM_FULL"));
/// ```
///
/// A [`Refusal`](crate::Refusal) passes by `.map_err(Error::refuse)?`, or by `?` alone with such a conversion:
///
/// ```
/// use schemars::JsonSchema;
/// use serde::Serialize;
/// use zocket_layers::{Code, Error, Refusal};
///
/// #[derive(Serialize, JsonSchema)]
/// struct Outbid {
///     least: u64,
/// }
///
/// impl Refusal for Outbid {
///     const CODE: Code = Code::app("OUTBID");
/// }
///
/// impl From<Outbid> for Error {
///     fn from(outbid: Outbid) -> Self {
///         Self::refuse(outbid)
///     }
/// }
///
/// fn bid(cents: u64) -> Result<(), Error> {
///     if cents < 1_103 {
///         Err(Outbid { least: 1_103 })?;
///     }
///     Ok(())
/// }
/// # assert_eq!(bid(7).unwrap_err().code(), Outbid::CODE);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no refusal",
    label = "no refusal: hide it by `.map_err(Error::internal)?`, or tell the client by `.map_err(|error| Error::new(code, sentence))?`; a type with `impl Refusal`: `.map_err(Error::refuse)?`"
)]
pub trait IntoRefusal {
    /// Returns the refusal.
    fn into_refusal(self) -> Error;
}

impl<E: IntoRefusal> From<E> for Error {
    fn from(error: E) -> Self {
        error.into_refusal()
    }
}
