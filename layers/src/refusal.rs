//! Refusals with data: a code, and a type that says more than the code.

use std::{
    any::{TypeId, type_name},
    borrow::Cow,
    error::Error as StdError,
    fmt,
};

use schemars::JsonSchema;
use serde::{Serialize, Serializer, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{
    error::Code,
    protocol::{from_json, write_value},
};

/// Data of a refusal with one of the app's own codes. [`Error::refuse`](crate::Error::refuse) makes the refusal, and the
/// procedure declares the type. Clients find the type in the contract, under the code.
///
/// ```
/// use schemars::JsonSchema;
/// use serde::{Deserialize, Serialize};
/// use zocket_layers::{Code, Error, Refusal};
///
/// /// The bid was too low.
/// #[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
/// struct Outbid {
///     least: u64,
/// }
///
/// impl Refusal for Outbid {
///     const CODE: Code = Code::app("OUTBID");
/// }
///
/// let error = Error::refuse(Outbid { least: 1_103 });
/// assert_eq!(error.code(), Outbid::CODE);
/// assert_eq!(error.data::<Outbid>()?, Some(Outbid { least: 1_103 }));
/// # Ok::<(), zocket_layers::DataError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no refusal with data: it has no code",
    label = "needs `impl Refusal for {Self} {{ const CODE: Code = Code::app(\"…\"); }}`",
    note = "the data is `{Self}` itself, so it needs `#[derive(Serialize, JsonSchema)]`, too",
    note = "a code without data is declared by `.declare_code(..)`, and refused with by `Error::new(code, sentence)`"
)]
pub trait Refusal: Serialize + JsonSchema + 'static {
    /// Code of the refusal: one of the app's own. A code of the protocol can't be declared with data, because the
    /// framework refuses with those, too.
    const CODE: Code;

    /// Returns the sentence for people. Clients of the base protocol receive it without the data. By default it names the
    /// code alone.
    fn message(&self) -> Cow<'static, str> {
        format!("refused with {}", Self::CODE).into()
    }
}

/// The data of a refusal, encoded once, and the type that it was encoded from.
#[derive(Debug)]
pub(crate) struct RefusalData {
    json: Box<RawValue>,
    pub(crate) rust_type: DataType,
}

/// Rust type of a refusal's data.
#[derive(Debug, Clone, Copy)]
pub struct DataType {
    id: TypeId,
    name: &'static str,
}

impl RefusalData {
    /// Encodes data.
    ///
    /// # Errors
    /// Those of `Serialize`, and a float that is not finite.
    pub(crate) fn of<R: Refusal>(refusal: &R) -> Result<Self, serde_json::Error> {
        let mut json = Vec::new();
        write_value(&mut json, refusal)?;
        let json = String::from_utf8(json).map_err(serde::ser::Error::custom)?;
        Ok(Self {
            json: RawValue::from_string(json)?,
            rust_type: DataType::of::<R>(),
        })
    }

    pub(crate) fn as_json(&self) -> &[u8] {
        self.json.get().as_bytes()
    }
}

impl Serialize for RefusalData {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.json.serialize(serializer)
    }
}

impl DataType {
    /// Returns the type `R`.
    #[must_use]
    pub fn of<R: Refusal>() -> Self {
        Self {
            id: TypeId::of::<R>(),
            name: type_name::<R>(),
        }
    }

    /// Returns the type's name in Rust, for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.name
    }
}

impl PartialEq for DataType {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for DataType {}

/// Parses the data of a refusal with `code` as an `R`. Returns none if `R` has another code.
///
/// # Errors
/// If there is no data, or data of another shape.
pub fn read_data<R: Refusal + DeserializeOwned>(
    code: &str,
    data: Option<&[u8]>,
) -> Result<Option<R>, DataError> {
    if code != R::CODE.as_str() {
        return Ok(None);
    }
    let failed = |source| DataError {
        code: R::CODE,
        expected: type_name::<R>(),
        source,
    };
    match data {
        Some(json) => from_json(json).map(Some).map_err(|error| failed(Some(error))),
        None => Err(failed(None)),
    }
}

/// Error of a refusal whose data does not fit the type that has its code: the server has another contract.
#[derive(Debug)]
pub struct DataError {
    code: Code,
    expected: &'static str,
    /// None if the refusal has no data.
    source: Option<serde_json::Error>,
}

/// Writes the error without its source.
impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, expected, .. } = self;
        match &self.source {
            Some(_) => write!(f, "the data of the refusal `{code}` does not fit `{expected}`"),
            None => write!(f, "the refusal `{code}` has no data: expected `{expected}`"),
        }
    }
}

impl StdError for DataError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|error| error as _)
    }
}
