//! The guide: how things are done, page by page. There is nothing here but text, whose examples run.

#[doc = include_str!("middleware.md")]
pub mod middleware {}
