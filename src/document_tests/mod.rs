//! Comparison of the lists in the documents with the code's own, so that neither changes alone. Metrics are compared in
//! `tests/logs`, where an app reports them.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as a test may")]

mod closes;
mod codes;
mod compiler_messages;
mod features;
mod frames;
mod limits;
#[path = "../../tests/common/documents.rs"]
mod lists;
mod readmes;
