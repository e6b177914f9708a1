//! The guide: how things are done, page by page. There is nothing here but text, whose examples run.
//!
//! | page | |
//! |---|---|
//! | [`first_app`] | from an empty folder to two clients that talk |
//! | [`contexts`] | what a handler knows, middleware that narrows it, what a handler does |
//! | [`errors`] | what goes wrong, who is told, and how |
//! | [`middleware`] | what tower's and tower-http's layers do at each place |
//! | [`layers`] | writing a layer of one's own |
#![cfg_attr(
    feature = "testing",
    doc = "| [`testing`] | a whole app in memory; single procedures |"
)]
//! | [`deploying`] | proxies, limits, shutdown, what to watch |
//! | [`from_socket_io`], [`from_axum_ws`], [`from_zocket`] | moving here, concept by concept |

#[doc = include_str!("first_app.md")]
pub mod first_app {}

#[doc = include_str!("contexts.md")]
pub mod contexts {}

#[doc = include_str!("errors.md")]
pub mod errors {}

#[doc = include_str!("middleware.md")]
pub mod middleware {}

#[doc = include_str!("layers.md")]
pub mod layers {}

#[cfg(feature = "testing")]
#[doc = include_str!("testing.md")]
pub mod testing {}

#[doc = include_str!("deploying.md")]
pub mod deploying {}

#[doc = include_str!("from_socket_io.md")]
pub mod from_socket_io {}

#[doc = include_str!("from_axum_ws.md")]
pub mod from_axum_ws {}

#[doc = include_str!("from_zocket.md")]
pub mod from_zocket {}
