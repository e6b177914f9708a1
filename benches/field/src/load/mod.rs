//! Loads: the traffic of the connections.

mod fanout;
mod paced;
mod requests;

pub(crate) use fanout::Fanout;
pub(crate) use paced::Paced;
pub(crate) use requests::{Kind, Requests};
