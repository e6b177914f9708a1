//! The contract and the files generated from it.

#![allow(clippy::unwrap_used, reason = "these are tests, and their helpers")]

mod asyncapi;
mod client_files;
mod contract;
mod integers;
mod typescript;
