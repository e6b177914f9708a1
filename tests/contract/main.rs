//! The contract and the files generated from it.

mod asyncapi;
mod client_files;
mod contract;
mod typescript;
