//! The rules of an input type: checks of a payload, and the wording of its issues.
//!
//! The fast path is one typed parse and garde, in `checker`. Only a payload that fails is checked again. If the parse
//! failed (`shape`), the type's JSON Schema, compiled once into a graph (`schema`, `build`), is walked along the
//! payload (`walk`): `tag` and `branch` find the variant that is meant, `leaf` and `number` check single values. If
//! garde refused (`constraint`), its report gets the names of the wire (`wire`) and the codes of the schema. `say`
//! words the issues.

mod branch;
mod build;
mod checker;
mod constraint;
mod leaf;
mod number;
mod plain;
mod say;
mod schema;
mod shape;
mod tag;
mod walk;
mod wire;

pub use checker::{Checker, Input};

#[cfg(test)]
mod tests;
