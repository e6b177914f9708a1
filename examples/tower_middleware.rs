//! Tower's middleware, for the whole app and route by route: `cargo run --example tower_middleware`.

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
};

/// Code around every call: no layer to write.
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
        // Of all connections together; sockets are read no further while it is reached.
        .layer(GlobalConcurrencyLimitLayer::new(1_000))
        .build();
    let message = zo.message().input::<Work>();

    // Whatever takes longer is answered TIMEOUT, and its handler is dropped at its next await.
    let quick = message
        .clone()
        .layer(TimeoutLayer::new(Duration::from_millis(100)))
        .handle(work);

    // One at a time for all clients, and whoever comes meanwhile is answered OVERLOADED instead of waiting.
    let alone = ServiceBuilder::new()
        .layer(LoadShedLayer::new())
        .layer(GlobalConcurrencyLimitLayer::new(1));
    let exclusive = message.clone().layer(alone).concurrent().handle(work);

    // Four at a time, in whatever order they get done, the others wait. Each layer stands around what comes after it.
    let pooled = message
        .clone()
        .layer(ConcurrencyLimitLayer::new(4))
        .concurrent()
        .handle(work);

    // Five a minute for each client; the sixth is answered TOO_MANY_REQUESTS, and when to come back.
    let quota = QuotaLayer::per_client(Quota::new(5, Duration::from_secs(60)));
    let guess = message.clone().layer(quota).handle(work);

    // A module's routes share a layer: here, with raw payloads, and outside of fan-out.
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
    let listener = tokio::net::TcpListener::bind(&addr).await?;
    tracing::info!("listening on {}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
