//! Direction of a type, and the function that generates its schema.

use schemars::{Schema, SchemaGenerator};

/// Function that generates a type's schema.
pub(crate) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// Direction in which values of a type are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Direction {
    /// From the client.
    Input,
    /// To the client.
    Output,
}

impl Direction {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
        }
    }
}
