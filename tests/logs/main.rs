//! What a client is told, and what the operator reads in the log. A process has one subscriber for all of its threads:
//! these tests keep theirs away from the one of `tests/server/serving.rs`.

#[path = "../common/mod.rs"]
mod common;

mod observing;
mod refusals;
