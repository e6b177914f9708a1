//! A layer of a router whose service is not `Clone`.
use std::time::Duration;
use tower::limit::RateLimitLayer;
use zocket::Zocket;

fn main() {
    let zo = Zocket::builder().build();
    let _ = zo.router().layer(RateLimitLayer::new(100, Duration::from_secs(1)));
}
