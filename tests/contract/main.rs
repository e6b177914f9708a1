//! The contract, and what is made of it.

mod asyncapi;
mod client_files;
mod contract;
mod typescript;
