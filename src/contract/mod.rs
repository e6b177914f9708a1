//! The contract: the messages that an app receives and sends, as data.
//!
//! [`Router::contract`](crate::Router::contract) gathers it from the types that the handlers use. It can be written as
//! JSON and compared with an older one. Clients are generated from it.

mod assert;
mod asyncapi;
mod canonical;
mod client_files;
mod conflation;
mod diff;
mod direction;
mod error;
mod export;
mod gaps;
mod gather;
mod names;
mod references;
mod resolve;
mod rule;
mod typescript;
mod unique_names;
mod value_rules;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha1::{Digest, Sha1};
use zocket_layers::Delivery;

#[doc(hidden)]
pub use self::assert::assert_contract_file;
pub use self::asyncapi::Info;
pub use self::client_files::ClientFiles;
pub use self::diff::{Change, Compatibility, Diff};
pub use self::error::ContractError;
pub(crate) use self::{
    direction::{Direction, SchemaOf},
    gather::Gatherer,
    references::{Definitions, local_name, settings},
};

/// The messages that an app receives and sends: its connect headers, its incoming routes, its outgoing events, each
/// with its types as JSON Schema (draft 2020-12), constraints included.
///
/// Named types are in [`types`](Self::types), in two variants. As input, a member with a default is optional; as
/// output, it is always present. References are `#/types/input/Name` and `#/types/output/Name`.
///
/// A contract depends only on the types and the routes, not on the order of their declarations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Contract {
    /// The version of this format.
    pub zocket: u32,
    /// Schema of the connect headers, which a client sends with its upgrade request: an object of texts, numbers and
    /// booleans. Numbers and booleans are sent as their text.
    pub headers: Value,
    /// Messages that the app receives, by dotted path.
    pub incoming: BTreeMap<String, IncomingContract>,
    /// Messages that the app sends, by dotted name.
    pub outgoing: BTreeMap<String, OutgoingContract>,
    /// The named types.
    pub types: Types,
}

/// A message that the app receives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct IncomingContract {
    /// The message's purpose, in prose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doc: Option<String>,
    /// The payload's schema; absent if the payload is ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// The answer's schema; absent if the answer has no payload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    /// The app's own codes that the message may be refused with, beside the protocol's. Sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
    /// Schemas of the data that refusals carry, by code. Absent for codes without data.
    #[serde(default, rename = "errorData", skip_serializing_if = "BTreeMap::is_empty")]
    pub error_data: BTreeMap<String, Value>,
}

/// A message that the app sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct OutgoingContract {
    /// The payload's schema.
    pub payload: Value,
    /// Delivery to a client that reads too slowly; absent if it is reliable.
    #[serde(default, skip_serializing_if = "Delivery::is_reliable")]
    pub delivery: Delivery,
}

/// The named types of a contract, as schemas.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Types {
    /// Schemas of the values that the app receives.
    pub input: BTreeMap<String, Value>,
    /// Schemas of the values that the app sends.
    pub output: BTreeMap<String, Value>,
}

impl Contract {
    /// The version of the format that this crate writes and reads.
    pub const FORMAT: u32 = 1;

    /// Returns the contract as JSON, with sorted members and a line break at the end, so that it can be committed.
    #[must_use]
    pub fn to_json(&self) -> String {
        // A contract holds only JSON, so the conversion can't fail.
        let mut json = serde_json::to_value(self)
            .and_then(|value| serde_json::to_string_pretty(&canonical::sorted(value)))
            .unwrap_or_default();
        json.push('\n');
        json
    }

    /// Reads a contract that [`to_json`](Self::to_json) wrote.
    ///
    /// # Errors
    /// [`ContractError`] for a text that is not a contract, or a contract of another format.
    pub fn from_json(json: &str) -> Result<Self, ContractError> {
        let contract: Self = serde_json::from_str(json).map_err(ContractError::Json)?;
        match contract.zocket {
            Self::FORMAT => Ok(contract),
            format => Err(ContractError::Format(format)),
        }
    }

    /// Returns a fingerprint of everything that clients depend on: 16 hexadecimal digits, the same for the same types,
    /// routes and codes, on any machine. Documentation does not affect it.
    #[must_use]
    pub fn hash(&self) -> String {
        fingerprint(&self.undocumented())
    }

    /// Returns the contract as an AsyncAPI 3.0 document, in AsyncAPI's default schema format (JSON Schema draft 07).
    ///
    /// The document is written from the app's side, as AsyncAPI requires: the app receives the messages that clients
    /// send.
    #[must_use]
    pub fn asyncapi(&self, info: &Info) -> Value {
        canonical::sorted(asyncapi::document(&self.canonical(), info))
    }

    /// Returns the schema of the payload that clients send with a message. `None` if they need none: it is ignored, or only
    /// null fits, as for a unit struct. An absent payload counts as null.
    fn input_of<'a>(&self, incoming: &'a IncomingContract) -> Option<&'a Value> {
        let input = incoming.input.as_ref()?;
        (!resolve::is_null(&self.types, input)).then_some(input)
    }

    /// Compares the contract with `old`. Returns the changes and their effect on clients of `old`.
    #[must_use]
    pub fn diff(&self, old: &Self) -> Diff {
        diff::diff(&old.canonical(), &self.canonical())
    }
}

/// Returns 16 hexadecimal digits that identify a text.
fn fingerprint(text: &str) -> String {
    let digest = Sha1::digest(text);
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
