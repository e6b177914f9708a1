//! Stock middleware at each place for a layer, as the client sees it. The guide's table, `zocket::guide::middleware`,
//! has a line for each of these tests.
//!
//! The server and the client are real; what is between them is a pipe in memory, so that time can stand still: it goes
//! on by itself when there is nothing else to do.
#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "what is unwrapped by a test's helper is part of the test"
)]

use crate::common;

mod position;
mod site;

/// Tests each of these functions, which are generic over the position, at all of them.
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
    // Where messages are raw.
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
mod http_message;
mod http_upgrade;
mod limits;
mod quota;
mod timing;
mod transform;
