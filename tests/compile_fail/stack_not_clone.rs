//! A stack by hand that is not `Clone`.
use std::{convert::Infallible, time::Duration};
use tower::{ServiceBuilder, service_fn};
use zocket::Zocket;
use zocket::layers::{DataFrame, Frame};

async fn echo(frame: Frame) -> Result<DataFrame, Infallible> {
    Ok(frame.into_data())
}

fn main() {
    let slowly = ServiceBuilder::new().rate_limit(100, Duration::from_secs(1)).service(service_fn(echo));
    let _ = Zocket::builder().build().serve_stack(slowly);
}
