//! Refusals, as the client receives them and as the log shows them. A process has one tracing subscriber for all of its
//! threads, so these tests are a program apart from `tests/server/serving.rs`, which installs another one.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/documents.rs"]
mod documents;
#[path = "../common/nats.rs"]
mod nats;
#[path = "../common/refusals.rs"]
mod refusals_with_data;

mod calls;
mod contract;
mod handshakes;
mod metrics;
mod observability;
mod refusals;
