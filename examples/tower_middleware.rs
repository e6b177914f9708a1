//! Tower middleware for the whole app and for single routes: `cargo run --example tower_middleware`.

use std::{
    env,
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use garde::Validate;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::sleep;
use tower::{
    BoxError, ServiceBuilder,
    filter::FilterLayer,
    limit::{ConcurrencyLimitLayer, GlobalConcurrencyLimitLayer},
    load_shed::LoadShedLayer,
    timeout::TimeoutLayer,
};
use zocket::{
    Code, Context, Error as Refusal, Message, Next, Reply, Zocket, from_fn,
    layers::{Quota, QuotaLayer},
    server,
};

/// Middleware as a function, around every call.
async fn log(message: Message, next: Next) -> Result<Reply, BoxError> {
    let route = message.parts().route().clone();
    let reply = next.run(message).await;
    tracing::info!(%route, ok = reply.is_ok(), "handled");
    reply
}

#[derive(Deserialize, JsonSchema, Validate)]
struct Work {
    #[garde(range(max = 60_000))]
    millis: u64,
}

async fn work(_: Context, Work { millis }: Work) -> Result<u64, Refusal> {
    sleep(Duration::from_millis(millis)).await;
    Ok(millis)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().init();
    let zo = Zocket::builder()
        .layer(from_fn(log))
        // A limit for all connections together. Sockets are not read while it is reached.
        .layer(GlobalConcurrencyLimitLayer::new(1_000))
        .build();
    let message = zo.message();

    // Slower messages get TIMEOUT, and their handler is dropped at its next await.
    let quick = message
        .clone()
        .layer(TimeoutLayer::new(Duration::from_millis(100)))
        .handle(work);

    // One message at a time for all clients. Others get OVERLOADED without waiting.
    let alone = ServiceBuilder::new()
        .layer(LoadShedLayer::new())
        .layer(GlobalConcurrencyLimitLayer::new(1));
    let exclusive = message.clone().layer(alone).concurrent().handle(work);

    // Four messages at a time, in any order, while others wait. Each layer wraps the layers after it.
    let pooled = message
        .clone()
        .layer(ConcurrencyLimitLayer::new(4))
        .concurrent()
        .handle(work);

    // Five messages a minute per client. The sixth gets TOO_MANY_REQUESTS with the time to wait.
    let quota = QuotaLayer::per_client(Quota::new(5, Duration::from_secs(60)));
    let guess = message.clone().layer(quota).handle(work);

    // A layer for all routes of a router. It sees raw payloads, outside the fan-out stage.
    let is_open = Arc::new(AtomicBool::new(false));
    let when_open = move |message: Message| match is_open.load(Ordering::Relaxed) {
        true => Ok(message),
        false => Err(Refusal::new(Code::FORBIDDEN, "closed for maintenance")),
    };
    let shop = zo
        .router()
        .layer(FilterLayer::new(when_open))
        .incoming("buy", message.handle(work));

    let router = zo
        .router()
        .incoming("quick", quick)
        .incoming("exclusive", exclusive)
        .incoming("pooled", pooled)
        .incoming("guess", guess)
        .nest("shop", shop);
    let app = axum::Router::new().route_service("/", zo.serve(router));

    let addr = env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = server::listen(addr).await?;
    tracing::info!("listening on {}", listener.local_addr()?);
    server::serve(listener, app).await;
    Ok(())
}
