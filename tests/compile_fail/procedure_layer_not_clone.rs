//! A layer of a procedure whose service is not `Clone`.
use std::time::Duration;
use tower::limit::RateLimitLayer;
use zocket::{Context, Zocket};

fn main() {
    let zo = Zocket::builder().build();
    let _ = zo
        .message()
        .layer(RateLimitLayer::new(100, Duration::from_secs(1)))
        .handle(async |_: Context<()>| Ok(()));
}
