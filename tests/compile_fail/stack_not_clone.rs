//! A stack by hand that is not `Clone`.
use std::time::Duration;
use tower::{ServiceBuilder, service_fn};
use zocket::{Zocket, layers::Frame};

fn main() {
    let echo = service_fn(async |frame: Frame| Ok::<_, std::convert::Infallible>(frame.into_data()));
    let slowly = ServiceBuilder::new().rate_limit(100, Duration::from_secs(1)).service(echo);
    let _ = Zocket::builder().build().serve_stack(slowly);
}
