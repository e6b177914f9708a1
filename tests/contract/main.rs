//! The contract and the files generated from it.

#![allow(clippy::unwrap_used, reason = "these are tests, and their helpers")]

#[macro_use]
mod declare;

mod asyncapi;
mod branches;
mod canonical;
mod client_files;
mod conflation;
mod contract;
mod delivery;
mod integers;
mod names;
mod pairs;
mod refusals;
mod typescript;
mod wording;
