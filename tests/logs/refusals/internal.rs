//! INTERNAL_SERVER_ERROR: panics and foreign errors, whose detail is only in the log.

use std::{
    io,
    task::{Context as Task, Poll},
};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use tower::{Service, layer::layer_fn};
use zocket::{Code, Context, Error, Message, Next, Reply, Route, RouterService, from_fn};

use super::{State, Tick, app, builder, common::Client, connect, echoing, log::Log, refusal_of, router};

/// A layer that panics in one of three places.
#[derive(Clone)]
struct Bug<S> {
    inner: S,
    place: &'static str,
}

impl<S: Service<Message>> Service<Message> for Bug<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), Self::Error>> {
        assert!(self.place != "poll_ready", "secret: in poll_ready");
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, message: Message) -> Self::Future {
        assert!(self.place != "call", "secret: in call");
        self.inner.call(message)
    }
}

/// Asserts that the refusal has no detail, and that the log has it under the same id.
async fn assert_concealed(client: &mut Client, route: &str, log: &Log) {
    let refusal = refusal_of(client, route).await;
    assert_eq!(refusal.code(), "INTERNAL_SERVER_ERROR", "{route}");
    assert!(!refusal.0.to_string().contains("secret"), "{refusal:?}");
    assert!(log.line(&refusal).contains("secret"), "{route}");
}

#[tokio::test]
async fn a_panic_is_internal_and_its_detail_is_only_logged() {
    async fn middleware(_: Context<State>) -> Result<(), Error> {
        panic!("secret: in a middleware")
    }
    async fn layer(_: Message, _: Next) -> Result<Reply, Error> {
        panic!("secret: in a layer")
    }
    async fn later(_: Context<State>) -> Result<(), Error> {
        tokio::task::yield_now().await;
        std::panic::panic_any(String::from("secret: after a while"))
    }
    #[derive(JsonSchema)]
    struct Unwritable;
    impl Serialize for Unwritable {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            panic!("secret: in Serialize")
        }
    }
    let log = Log::capture();
    let state = State::default();
    let zo = app(&state);
    let with_bug = |place| echoing(&zo).layer(layer_fn(move |inner: Route| Bug { inner, place }));
    let router = router(&zo)
        .incoming("later", zo.message().handle(later))
        .incoming(
            "middleware",
            zo.message()
                .with(middleware)
                .handle(async |_: Context<()>| Ok(())),
        )
        .incoming(
            "answer",
            zo.message().handle(async |_: Context<State>| Ok(Unwritable)),
        )
        .nest("layer", echoing(&zo).layer(from_fn(layer)))
        .nest("ready", with_bug("poll_ready"))
        .nest("calling", with_bug("call"));
    let mut client = connect(zo.serve(router)).await;
    for route in [
        "bug",
        "later",
        "middleware",
        "answer",
        "layer.echo",
        "ready.echo",
        "calling.echo",
    ] {
        assert_concealed(&mut client, route, &log).await;
    }
    assert_eq!(client.call("echo", Value::Null).await, Ok(Some(json!("here"))));
    assert_eq!(state.runs(), 1, "a handler behind a panic was run");
}

#[tokio::test]
async fn a_panic_in_a_layer_of_the_app_is_internal() {
    for place in ["poll_ready", "call"] {
        let log = Log::capture();
        let layer = layer_fn(move |inner: RouterService| Bug { inner, place });
        let zo = builder(&State::default()).layer(layer).build();
        let mut client = connect(zo.serve(echoing(&zo))).await;
        assert_concealed(&mut client, "echo", &log).await;
        assert_concealed(&mut client, "echo", &log).await;
    }
}

#[tokio::test]
async fn an_error_of_another_type_is_internal() {
    async fn wrapped(_: Context<State>) -> Result<(), Error> {
        Err(Error::internal(io::Error::other("secret: the database is gone")))
    }
    async fn foreign(_: Message, _: Next) -> Result<Reply, io::Error> {
        Err(io::Error::other("secret: a layer's own error"))
    }
    async fn worded(_: Context<State>) -> Result<(), Error> {
        Err(Error::new(Code::INTERNAL_SERVER_ERROR, "secret words"))
    }
    async fn undeclared(cx: Context<State>) -> Result<(), Error> {
        cx.send(Tick("secret".into())).broadcast();
        Ok(())
    }
    let log = Log::capture();
    let zo = app(&State::default());
    let router = zo
        .router()
        .incoming("wrapped", zo.message().handle(wrapped))
        .incoming("worded", zo.message().handle(worded))
        .incoming("undeclared", zo.message().handle(undeclared))
        .nest("foreign", echoing(&zo).layer(from_fn(foreign)));
    let mut client = connect(zo.serve(router)).await;
    for route in ["wrapped", "worded", "foreign.echo"] {
        assert_concealed(&mut client, route, &log).await;
    }
    // No router declares this event.
    let refusal = refusal_of(&mut client, "undeclared").await;
    assert_eq!(refusal.code(), "INTERNAL_SERVER_ERROR");
    assert!(log.line(&refusal).contains("tick"));
    client.expect_nothing().await;
}
