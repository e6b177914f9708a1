//! The rules of an input type: what a payload is checked against, and how what is wrong with it is named.
//!
//! The fast path is one typed parse and garde, in `checker`. Only a payload that fails is looked at again. Where
//! the parse failed (`shape`), the type's JSON Schema, compiled once into a graph (`schema`, `build`), is walked
//! beside the payload (`walk`): `tag` and `branch` find the variant that is meant, `leaf` and `number` check
//! single values. Where garde refused (`constraint`), its report is given the wire's names (`wire`) and the
//! schema's codes. `say` words it.

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
