//! Stock middleware at each position, as the client sees it. The table of the guide, `zocket::guide::middleware`, has a
//! line for each of these tests.
//!
//! Server and client are real. The connection is an in-memory pipe, so that the clock can be paused: it advances only
//! while every task is idle.
#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "what is unwrapped by a test's helper is part of the test"
)]

use crate::common;

mod position;
mod site;

/// Runs each of these functions at every position.
macro_rules! cells {
    ($($name:ident,)*) => {
        $(
            mod $name {
                cells! { @at $name WholeApp at_the_whole_app }
                cells! { @at $name OutsideFanout outside_of_fanout }
                cells! { @at $name InsideFanout inside_of_fanout }
            }
        )*
    };
    // Only the positions with raw messages.
    (raw $($name:ident,)*) => {
        $(
            mod $name {
                cells! { @at $name WholeApp at_the_whole_app }
                cells! { @at $name OutsideFanout outside_of_fanout }
            }
        )*
    };
    (@at $name:ident $position:ident $place:ident) => {
        #[tokio::test(start_paused = true)]
        async fn $place() {
            super::$name::<super::super::position::$position>().await;
        }
    };
}

mod attempts;
mod balancing;
mod data;
mod http_message;
mod http_upgrade;
mod limits;
mod quota;
mod timing;
mod transform;
