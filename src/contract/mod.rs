//! The contract: what an app receives and sends, as data.
//!
//! [`Router::contract`](crate::Router::contract) gathers it from the types that the handlers use. It is written as
//! JSON, compared with an older one, and what clients are generated from.

mod assert;
mod asyncapi;
mod client_files;
mod diff;
mod export;
mod gaps;
mod gather;
mod names;
mod typescript;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha1::{Digest, Sha1};

#[doc(hidden)]
pub use self::assert::assert_contract_file;
pub use self::asyncapi::Info;
pub use self::client_files::ClientFiles;
pub use self::diff::{Change, Compatibility, Diff};
pub(crate) use self::gather::{Direction, Gatherer, SchemaOf};

/// What an app receives and sends: its connect headers, its incoming routes, its outgoing events, each with its
/// types as JSON Schema (draft 2020-12), constraints included.
///
/// Types with a name stand in [`types`](Self::types), in two variants: as input, where a default makes a member
/// optional, and as output, where it is always present. References are `#/types/input/Name` and
/// `#/types/output/Name`.
///
/// It depends on the types and the routes alone, and not on the order in which they were declared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// The version of this format.
    pub zocket: u32,
    /// What a client says of itself when it connects: an object of strings.
    pub headers: Value,
    /// What the app receives, by dotted path.
    pub incoming: BTreeMap<String, IncomingContract>,
    /// What the app sends, by dotted name.
    pub outgoing: BTreeMap<String, OutgoingContract>,
    /// The named types.
    pub types: Types,
}

/// A message that the app receives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncomingContract {
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doc: Option<String>,
    /// The payload's schema; absent where a payload is ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// The answer's schema; absent where the answer has no payload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    /// The codes of the app's own that it may be refused with, beside the protocol's. Sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
}

/// A message that the app sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutgoingContract {
    /// The payload's schema.
    pub payload: Value,
}

/// The named types of a contract, as schemas.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Types {
    /// As the app takes them.
    pub input: BTreeMap<String, Value>,
    /// As the app gives them.
    pub output: BTreeMap<String, Value>,
}

impl Contract {
    /// The version of the format that this crate writes and reads.
    pub const FORMAT: u32 = 1;

    /// The contract as JSON, members sorted, with a line break at the end: made to be committed.
    #[must_use]
    pub fn to_json(&self) -> String {
        // By way of `Value`, which sorts; a contract holds nothing that is no JSON.
        let mut json = serde_json::to_value(self)
            .and_then(|value| serde_json::to_string_pretty(&value))
            .unwrap_or_default();
        json.push('\n');
        json
    }

    /// Reads what [`to_json`](Self::to_json) wrote.
    ///
    /// # Errors
    /// A sentence, where it is no contract, or one of another format.
    pub fn from_json(json: &str) -> Result<Self, String> {
        let contract: Self = serde_json::from_str(json).map_err(|error| format!("no contract: {error}"))?;
        match contract.zocket {
            Self::FORMAT => Ok(contract),
            other => Err(format!("a contract of format {other}; expected {}", Self::FORMAT)),
        }
    }

    /// A short name of all that clients depend on: 16 hexadecimal digits, the same for the same types, routes and
    /// codes, on any machine. Documentation is not part of it.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        strip_docs(&mut value);
        fingerprint(&value.to_string())
    }

    /// The contract as an AsyncAPI 3.0 document, in the schemas that are its default (JSON Schema draft 07).
    ///
    /// It is written from the app's side, as AsyncAPI wants it: what clients send, the app receives.
    #[must_use]
    pub fn asyncapi(&self, info: &Info) -> Value {
        asyncapi::document(self, info)
    }

    /// What changed since `old`, and what that means for clients of `old`.
    #[must_use]
    pub fn diff(&self, old: &Self) -> Diff {
        diff::diff(old, self)
    }
}

/// 16 hexadecimal digits that stand for a text.
fn fingerprint(text: &str) -> String {
    let digest = Sha1::digest(text);
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Takes out of schemas what only people read. A member of that name whose value is no text is a property.
fn strip_docs(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, value| match name.as_str() {
                "title" | "description" | "doc" | "$comment" => !value.is_string(),
                "examples" => !value.is_array(),
                _ => true,
            });
            members.values_mut().for_each(strip_docs);
        }
        Value::Array(items) => items.iter_mut().for_each(strip_docs),
        _ => {}
    }
}
