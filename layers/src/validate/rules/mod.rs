//! The rules of an input type: checks of a payload, and the wording of its issues.
//!
//! The fast path is one typed parse and garde, in `checker`. Only a payload that fails is checked again. If the parse
//! failed (`shape`), the payload is walked along the type's JSON Schema (`walk`), which is compiled once into a graph
//! (`schema`, `build`). `tag` and `branch` find the variant that the payload is meant for, `leaf` checks single
//! values by `number`, `equality`, `pattern` and `format`. If garde refused (`constraint`), its report is translated to
//! the names on the wire (`wire`) and the codes of the schema. `wording` writes the sentences.
//!
//! serde may accept more than the schema says. `alias` finds members under other names, and `confirm` drops issues that
//! serde does not have. Both parse variants of the payload (`probe`).
//!
//! `whole` and `repair` rewrite a payload that serde_json does not read: integers such as `3.0`, lone surrogates, and
//! numbers that no float can hold.

mod alias;
mod branch;
mod build;
mod checker;
mod confirm;
mod constraint;
mod equality;
mod format;
mod leaf;
mod number;
mod pattern;
mod plain;
mod probe;
mod repair;
mod schema;
mod shape;
mod tag;
mod walk;
mod whole;
mod wire;
mod wording;

pub use checker::{Checker, Input};

#[cfg(test)]
mod tests;
