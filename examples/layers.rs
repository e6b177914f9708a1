//! A custom stack with a custom layer, served on a socket: `cargo run --example layers`, on `ADDR` (default
//! 127.0.0.1:3000). Then send `{"type":"greet","payload":{"greeting":"hello"},"rpcId":1}` to
//! `ws://127.0.0.1:3000/?name=Ann` with any WebSocket client. The stack has no router, so it answers messages of every
//! type.

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context as Task, Poll},
    time::Duration,
};

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tower::{BoxError, Layer, Service, ServiceBuilder};
use zocket::{
    ClientId, Context, Error, Message, Outgoing, Zocket,
    layers::{ContextLayer, DecodeLayer, FanoutLayer, RescueLayer, ValidateLayer, handler_fn},
    server,
};

/// Numbers the messages. Inner stages find the number in the extensions.
#[derive(Clone, Default)]
struct NumberLayer(Arc<AtomicU64>);

#[derive(Clone, Copy)]
struct Number(u64);

impl<S> Layer<S> for NumberLayer {
    type Service = NumberService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        NumberService(inner, self.0.clone())
    }
}

#[derive(Clone)]
struct NumberService<S>(S, Arc<AtomicU64>);

/// Generic over payload and context, so the layer fits every position of the stack.
impl<S, P, C> Service<Message<P, C>> for NumberService<S>
where
    S: Service<Message<P, C>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut message: Message<P, C>) -> Self::Future {
        let number = self.1.fetch_add(1, Ordering::Relaxed) + 1;
        message.parts_mut().extensions.insert(Number(number));
        self.0.call(message)
    }
}

#[derive(Deserialize, JsonSchema, Validate)]
struct User {
    #[garde(length(chars, min = 1, max = 40))]
    name: String,
}

#[derive(Deserialize, JsonSchema, Validate)]
struct Greet {
    #[garde(length(chars, min = 1))]
    greeting: String,
}

#[derive(Serialize, JsonSchema)]
struct Greeted(String);

impl Outgoing for Greeted {
    const TYPE: &'static str = "greeted";
}

async fn greet(cx: Context<User>, input: Greet) -> Result<usize, Error> {
    cx.rooms().join("greeters")?;
    cx.send(Greeted(format!("{}, {}", input.greeting, cx.name)))
        .to_room("greeters");
    Ok(input.greeting.len())
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    tracing_subscriber::fmt().init();
    let stack = ServiceBuilder::new()
        .layer(DecodeLayer::json()) //                Frame → Message, and outcome → frame
        .layer(RescueLayer::new()) //                 errors and panics → a refusal
        .layer(NumberLayer::default()) //             ours
        .timeout(Duration::from_secs(1)) //           tower's
        .layer(FanoutLayer::new()) //                 effects → the hub
        .layer(ValidateLayer::<Greet>::new()) //      bytes → Greet
        .layer(ContextLayer::<User>::new()) //        () → Context<User>
        .map_request(|message: Message<Greet, Context<User>>| {
            let parts = message.parts();
            let number = parts.extensions.get::<Number>().map(|number| number.0);
            tracing::info!(number, route = %parts.route(), "a message");
            message
        })
        .service(handler_fn(greet));
    let zo = Zocket::builder()
        .on_connect(async |user: User, _: ClientId| Ok(user))
        .build();
    let app = zo.serve_stack(stack);

    let addr = env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = server::listen(addr).await?;
    tracing::info!("listening on {}", listener.local_addr()?);
    server::serve(listener, app).await;
    Ok(())
}
