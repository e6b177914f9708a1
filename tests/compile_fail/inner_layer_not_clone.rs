//! A layer of a procedure whose service is not `Clone`, inside of other layers.
use std::time::Duration;
use tower::{limit::RateLimitLayer, timeout::TimeoutLayer};
use zocket::{Context, Error, Zocket};

async fn search(_: Context<()>) -> Result<(), Error> {
    Ok(())
}

fn main() {
    let zo = Zocket::builder().build();
    let _ = zo
        .message()
        .layer(TimeoutLayer::new(Duration::from_secs(1)))
        .layer(RateLimitLayer::new(100, Duration::from_secs(1)))
        .handle(search);
}
