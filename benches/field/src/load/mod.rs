//! What the connections do.

mod fanout;
mod requests;

pub(crate) use fanout::Fanout;
pub(crate) use requests::{Kind, Requests};
