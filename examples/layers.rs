//! The stack by hand, with a layer of one's own in it: `cargo run --example layers`. No socket, no server: a stack is a
//! service, and frames are its requests.

use std::{
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
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt};
use zocket::{
    Context, Error, Message, Outgoing,
    layers::{
        Connection, ContextLayer, DecodeLayer, FanoutLayer, Frame, RescueLayer, ValidateLayer, handler_fn,
    },
};

/// Numbers the messages, for whoever asks the extensions.
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

/// Whatever the payload and the context: it stands anywhere.
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

struct User {
    name: &'static str,
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

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    tracing_subscriber::fmt().init();
    let ann = Connection::detached(User { name: "Ann" });
    let stack = ServiceBuilder::new()
        .layer(DecodeLayer::json()) //                Frame → Message, and the answer's frame
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

    for text in [
        r#"{"type":"greet","payload":{"greeting":"hello"},"rpcId":1}"#,
        r#"{"type":"greet","payload":{"greeting":""},"rpcId":2}"#,
        r#"{"type":"greet""#,
    ] {
        let answer = stack.clone().oneshot(Frame::new(ann.clone(), text)).await?;
        tracing::info!(answer = ?answer.map(String::from_utf8).transpose()?);
    }
    tracing::info!(members = ann.hub().size("greeters").await, "in the room");
    Ok(())
}
