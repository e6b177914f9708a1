//! The rules of an input type: checks of a payload, and the wording of its issues.
//!
//! The fast path is one typed parse and garde, in `checker`. Only a payload that fails is checked again. If the parse
//! failed (`shape`), the payload is walked along the type's JSON Schema (`walk`), which is compiled once into a graph
//! (`schema`, `build`). `tag` and `branch` find the variant that the payload is meant for, `leaf` checks single
//! values by `number`, `equality`, `pattern` and `format`. If garde refused (`constraint`), its report is translated to
//! the names on the wire (`wire`) and the codes of the schema. `wording` writes the sentences.

mod branch;
mod build;
mod checker;
mod constraint;
mod equality;
mod format;
mod leaf;
mod number;
mod pattern;
mod plain;
mod schema;
mod shape;
mod tag;
mod walk;
mod wire;
mod wording;

pub use checker::{Checker, Input};

#[cfg(test)]
mod tests;
