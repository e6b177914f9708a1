//! Returns text and binary messages unchanged: `cargo run --example echo`, on `ADDR` (default 127.0.0.1:3000).

use std::{convert::Infallible, env, error::Error};

use tower::service_fn;
use zocket::{Zocket, layers::Frame, server};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().init();
    let echo = service_fn(async |frame: Frame| Ok::<_, Infallible>(frame.into_data()));
    let app = Zocket::builder().build().serve_stack(echo);
    let addr = env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = server::listen(addr).await?;
    tracing::info!("listening on {}", listener.local_addr()?);
    server::serve(listener, app).await;
    Ok(())
}
