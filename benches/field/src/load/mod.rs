//! Loads: the traffic of the connections.

mod fanout;
mod requests;

pub(crate) use fanout::Fanout;
pub(crate) use requests::{Kind, Requests};
