//! The order of layers and middleware around a handler.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tower::{BoxError, ServiceExt, util::MapRequestLayer};
use zocket::{
    ClientId, Code, Connection, Context, Error, Message, Next, NoHeaders, RawPayload, Reply, Zocket, from_fn,
};

use super::{Post, code, common, message, post};

/// Names of the layers that a message passed, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<&'static str>>>);

impl Log {
    fn note(&self, what: &'static str) {
        self.0.lock().expect("no panic holds it").push(what);
    }

    /// Takes the log.
    fn taken(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.0.lock().expect("no panic holds it"))
    }
}

/// Returns a tower layer that logs its name.
fn named<M>(log: &Log, name: &'static str) -> MapRequestLayer<impl Fn(M) -> M + Clone + use<M>> {
    let log = log.clone();
    MapRequestLayer::new(move |message| {
        log.note(name);
        message
    })
}

async fn handler(cx: Context<Log>) -> Result<(), Error> {
    cx.note("handler");
    Ok(())
}

fn noting() -> (Zocket<Log>, Log) {
    let log = Log::default();
    let zo = Zocket::builder()
        .on_connect_with(log.clone(), async |log: Log, _: NoHeaders, _: ClientId| Ok(log))
        .build();
    (zo, log)
}

#[tokio::test]
async fn a_routers_layers_wrap_only_its_routes_and_nests() {
    let (zo, log) = noting();
    let handle = || zo.message().handle(handler);
    let inner = zo
        .router()
        .incoming("inner", handle())
        .layer(named(&log, "inner layer"));
    let module = zo
        .router()
        .layer(named(&log, "first"))
        .incoming("a", handle())
        .layer(named(&log, "second"))
        .nest("deep", inner)
        .incoming("b", handle());
    let sibling = zo.router().incoming("c", handle()).layer(named(&log, "sibling"));
    let router = zo
        .router()
        .incoming("top", handle())
        .nest("module", module)
        .nest("sibling", sibling)
        .into_service()
        .unwrap();
    for (route, expected) in [
        ("top", vec!["handler"]),
        // The order of `incoming` and `layer` has no effect.
        ("module.a", vec!["first", "second", "handler"]),
        ("module.b", vec!["first", "second", "handler"]),
        (
            "module.deep.inner",
            vec!["first", "second", "inner layer", "handler"],
        ),
        ("sibling.c", vec!["sibling", "handler"]),
    ] {
        router.clone().oneshot(message(log.clone(), route)).await.unwrap();
        assert_eq!(log.taken(), expected, "{route}");
    }
    // Unknown routes pass no layers of the router.
    for route in [
        "a",
        "module",
        "module.",
        "module.a.",
        "MODULE.a",
        "deep.inner",
        "",
    ] {
        let error = router
            .clone()
            .oneshot(message(log.clone(), route))
            .await
            .unwrap_err();
        assert_eq!(code(&error), Code::NOT_FOUND, "{route}");
        assert_eq!(log.taken(), [""; 0]);
    }
}

#[tokio::test]
async fn a_procedures_layers_and_middleware_run_in_the_order_written() {
    async fn first(cx: Context<Log>) -> Result<Log, Error> {
        cx.note("with 1");
        Ok(Log::clone(&cx))
    }
    async fn second(cx: Context<Log>, input: Post) -> Result<(Log, Post), Error> {
        cx.note("with_input");
        Ok((Log::clone(&cx), input))
    }
    let (zo, log) = noting();
    let procedure = zo
        .message()
        .with(first)
        .input::<Post>()
        .layer(named(&log, "layer 1"))
        .with_input(second)
        .layer(named(&log, "layer 2"))
        .layer(named(&log, "layer 3"));
    let base = procedure.clone().handle(handler);
    let more = procedure.layer(named(&log, "layer 4")).handle(handler);
    let post = |text: &str| post(Connection::detached(log.clone()), text);
    base.clone().oneshot(post("hi")).await.unwrap();
    let order = ["with 1", "layer 1", "with_input", "layer 2", "layer 3", "handler"];
    assert_eq!(log.taken(), order);
    // Changing a builder's clone does not change the builder.
    more.oneshot(post("hi")).await.unwrap();
    assert_eq!(log.taken()[..5], order[..5]);
    // Validation comes first, although `with` was called before `input`.
    let error = base.oneshot(post("")).await.unwrap_err();
    assert_eq!(code(&error), Code::BAD_REQUEST);
    assert_eq!(log.taken(), [""; 0]);
}

#[tokio::test]
async fn the_apps_layers_wrap_the_routers_layers_first_added_outermost() {
    let log = Log::default();
    let zo = Zocket::builder()
        .layer(named::<Message>(&log, "app 1"))
        .on_connect_with(log.clone(), async |log: Log, _: NoHeaders, _: ClientId| Ok(log))
        .layer(named::<Message>(&log, "app 2"))
        .build();
    let procedure = zo.message().layer(named(&log, "procedure")).handle(handler);
    let router = zo.router().incoming("a", procedure).layer(named(&log, "router"));
    let server = common::serve(zo.serve(router)).await;
    let mut client = server.connect("").await;
    client.call("a", Value::Null).await.unwrap();
    assert_eq!(log.taken(), ["app 1", "app 2", "router", "procedure", "handler"]);
    // The app's layers also see messages without a route.
    client.expect_nothing().await;
    assert_eq!(log.taken(), ["app 1", "app 2"]);
}

/// Middleware for a raw message.
async fn around_raw(mut message: Message, next: Next) -> Result<Reply, BoxError> {
    let log = message.parts().connection().context::<Log>().expect("a log");
    log.note("raw before");
    assert!(message.parts_mut().extensions.insert(7_u8).is_none());
    let reply = next.run(message).await;
    log.note(if reply.is_ok() { "raw after" } else { "raw failed" });
    reply
}

/// Middleware for a message with its input, which it changes.
async fn around_typed(
    message: Message<Post, Context<Log>>,
    next: Next<Post, Context<Log>>,
) -> Result<Reply, BoxError> {
    let log = Log::clone(message.context());
    log.note("typed before");
    assert_eq!(message.parts().extensions.get(), Some(&7_u8));
    if message.payload().text == "no" {
        return Err(Error::conflict("not this").into());
    }
    let message = message.map_payload(|post| Post {
        text: post.text.to_uppercase(),
    });
    let mut reply = next.run(message).await?;
    log.note("typed after");
    reply.answer = RawPayload::of(&(String::from_utf8_lossy(reply.answer.as_json()), "wrapped"))?;
    Ok(reply)
}

#[tokio::test]
async fn from_fn_runs_around_the_call_at_raw_and_typed_positions() {
    let (zo, log) = noting();
    let shout = zo.message().input::<Post>().layer(from_fn(around_typed)).handle(
        async |cx: Context<Log>, post: Post| {
            cx.note("handler");
            Ok(post.text)
        },
    );
    let router = zo.router().incoming("post", shout).layer(from_fn(around_raw));
    let router = router.into_service().unwrap();
    let post = |text: &str| {
        router
            .clone()
            .oneshot(post(Connection::detached(log.clone()), text))
    };
    let reply = post("hi").await.unwrap();
    let answer: Value = serde_json::from_slice(reply.answer.as_json()).unwrap();
    assert_eq!(answer, json!(["\"HI\"", "wrapped"]));
    assert_eq!(
        log.taken(),
        [
            "raw before",
            "typed before",
            "handler",
            "typed after",
            "raw after"
        ]
    );
    assert_eq!(post("no").await.unwrap_err().to_string(), "CONFLICT: not this");
    assert_eq!(log.taken(), ["raw before", "typed before", "raw failed"]);
    post("much too long").await.unwrap_err();
    assert_eq!(log.taken(), ["raw before", "raw failed"]);
}
