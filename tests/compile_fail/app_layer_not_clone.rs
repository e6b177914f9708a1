//! A layer of the whole app whose service is not `Clone`.
use std::time::Duration;
use tower::limit::RateLimitLayer;
use zocket::Zocket;

fn main() {
    let _ = Zocket::builder().layer(RateLimitLayer::new(100, Duration::from_secs(1))).build();
}
