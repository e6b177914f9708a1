use std::{error::Error, fmt};

use super::Contract;

/// The reason why a text can't be read as a contract: see [`Contract::from_json`].
#[derive(Debug)]
#[non_exhaustive]
pub enum ContractError {
    /// The text is not JSON, or not the JSON of a contract.
    Json(serde_json::Error),
    /// The contract has a format other than [`Contract::FORMAT`], as another version of this crate writes it.
    Format(u32),
}

/// Writes the error without its source.
impl fmt::Display for ContractError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(_) => f.write_str("not a contract"),
            Self::Format(format) => write!(
                f,
                "a contract of format {format}, and this version of zocket reads format {}",
                Contract::FORMAT
            ),
        }
    }
}

impl Error for ContractError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Json(error) => Some(error),
            Self::Format(_) => None,
        }
    }
}
