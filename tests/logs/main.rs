//! Refusals as the client receives them and as the log shows them. A process has one subscriber for all of its threads:
//! these tests keep theirs away from the one of `tests/server/serving.rs`.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/documents.rs"]
mod documents;

mod metrics;
mod observability;
mod refusals;
