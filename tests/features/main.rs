//! The crate's features: the client, also over TLS, the test kit, HTTP/2.

#[path = "../common/mod.rs"]
mod common;

mod client;
mod client_tls;
mod http2;
mod lots;
mod numbers;
mod readiness;
mod targets;
mod testing;
mod testing_calls;
mod testing_resume;
