//! The type of an app does not name its layers.

#![allow(clippy::unwrap_used, reason = "these are tests, and their helpers")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tower::{ServiceBuilder, layer::layer_fn, limit::GlobalConcurrencyLimitLayer};
use zocket::{ClientId, Context, Message, Next, NoHeaders, RouterService, Zocket, from_fn};

use crate::common::serve;

struct User {
    name: &'static str,
}

/// An app with a closure as a layer, a buffer and a limit. The function's signature shows none of them.
fn app(seen: Arc<AtomicUsize>) -> Zocket<User> {
    let count = layer_fn(move |routes: RouterService| {
        let seen = seen.clone();
        ServiceBuilder::new()
            .map_request(move |message: Message| {
                seen.fetch_add(1, Ordering::SeqCst);
                message
            })
            .service(routes)
    });
    Zocket::builder()
        .on_connect(async |_: NoHeaders, _: ClientId| Ok(User { name: "Ann" }))
        .layer(tower::buffer::BufferLayer::new(8))
        .layer(GlobalConcurrencyLimitLayer::new(2))
        .layer(tower::timeout::TimeoutLayer::new(Duration::from_secs(10)))
        .layer(from_fn(async |message: Message, next: Next<_>| {
            next.run(message).await
        }))
        .layer(count)
        .build()
}

/// Returns an app of the same type without layers.
fn plain() -> Zocket<User> {
    Zocket::builder()
        .on_connect(async |_: NoHeaders, _: ClientId| Ok(User { name: "Bob" }))
        .build()
}

#[tokio::test]
async fn apps_with_and_without_layers_have_one_type() {
    let seen = Arc::new(AtomicUsize::new(0));
    for (zo, name) in [(app(seen.clone()), "Ann"), (plain(), "Bob")] {
        let zo: Zocket<User> = zo.clone();
        let hello = zo.message().handle(async |cx: Context<User>| Ok(cx.name));
        let server = serve(zo.serve(zo.router().incoming("hello", hello))).await;
        let mut client = server.connect("").await;
        assert_eq!(client.call("hello", Value::Null).await, Ok(Some(json!(name))));
    }
    assert_eq!(seen.load(Ordering::SeqCst), 1);
}
