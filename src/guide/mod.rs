//! The guide: one page for each task. The modules contain only text, whose examples run as tests.
//!
//! | page | subject |
//! |---|---|
//! | [`first_app`] | a new crate, its server and its page: two browser tabs that talk to each other |
//! | [`contexts`] | the value that handlers receive, middleware that narrows it, the actions of a handler |
//! | [`errors`] | refusals, the codes that clients receive, handlers that time out |
//! | [`authentication`] | cookies and origins, tokens, logins that expire |
//! | [`middleware`] | the places for tower's and tower-http's layers, and their effect at each |
//! | [`layers`] | layers of your own |
//! | [`typescript_client`] | the generated client: calls, events, reconnecting, React, server-side rendering, tests |
#![cfg_attr(
    feature = "testing",
    doc = "| [`testing`] | tests of a whole app in memory, of single procedures, and of all that can go wrong on the way |"
)]
//! | [`guarantees`] | delivery, order, sessions and shutdown, with the conditions and time limits of each |
//! | [`deploying`] | proxies, limits, shutdown, monitoring |
#![cfg_attr(
    feature = "nats",
    doc = "| [`several_nodes`] | sizing, NATS, rolling deploys, alerts, and what is lost when |"
)]
//! | [`from_socket_io`], [`from_axum_ws`], [`from_zocket`] | the same concepts in other libraries, for apps that move here |

#[doc = include_str!("first_app.md")]
pub mod first_app {}

#[doc = include_str!("contexts.md")]
pub mod contexts {}

#[doc = include_str!("errors.md")]
pub mod errors {}

#[doc = include_str!("authentication.md")]
pub mod authentication {}

#[doc = include_str!("middleware.md")]
pub mod middleware {}

#[doc = include_str!("layers.md")]
pub mod layers {}

#[doc = include_str!("typescript_client.md")]
pub mod typescript_client {}

#[cfg(feature = "testing")]
#[doc = include_str!("testing.md")]
pub mod testing {}

#[doc = include_str!("guarantees.md")]
pub mod guarantees {}

#[doc = include_str!("deploying.md")]
pub mod deploying {}

#[cfg(feature = "nats")]
#[doc = include_str!("several_nodes.md")]
pub mod several_nodes {}

#[doc = include_str!("from_socket_io.md")]
pub mod from_socket_io {}

#[doc = include_str!("from_axum_ws.md")]
pub mod from_axum_ws {}

#[doc = include_str!("from_zocket.md")]
pub mod from_zocket {}
