//! What is counted: each is one program run.

use std::{cell::RefCell, fmt::Debug, hint::black_box};

use futures_util::FutureExt;
use schemars::JsonSchema;
use serde::Serialize;
use tower::{
    Service, ServiceBuilder,
    layer::{layer_fn, util::Identity},
};
use zocket::{
    Context, Error, Outgoing,
    layers::{DecodeLayer, Effect, RescueLayer},
};

use crate::{
    record::NOTHING,
    stages::{self, Meter, Nothing, Post, ReadFrame, User, routed},
};

/// Before counting begins: caches are filled, collections have grown.
const WARM_UP: usize = 100;

/// So many messages are counted.
pub(crate) const COUNT: usize = 1_000;

pub(crate) struct Messages;

/// What a row is called, and what runs it.
type Row = (&'static str, fn(Messages));

/// Each stage with those inside of it; what it adds to the one before it is its own.
pub(crate) const STAGES: [Row; 8] = [
    ("handler", stages::handler),
    ("middleware", stages::middleware),
    ("context", stages::context),
    ("validate", stages::validate),
    ("fan-out", stages::fanout),
    ("rescue", stages::rescue),
    ("decode and encode", stages::decode),
    (ROUTER, |meter| routed(meter, Identity::new())),
];

pub(crate) const ROUTER: &str = "router";

/// Around the whole.
pub(crate) const WITH_NOTHING: Row = (NOTHING, |meter| routed(meter, layer_fn(Nothing)));

/// What takes its time without a pipeline, too.
pub(crate) const ALONE: [Row; 2] = [
    ("serde and garde alone", |meter| {
        meter.function(stages::parse_and_validate)
    }),
    ("the answer's JSON alone", |meter| {
        meter.function(|| stages::serialize(12348))
    }),
];

/// Other messages, through the whole pipeline.
pub(crate) const CASES: [Row; 3] = [
    ("a message without an answer", |meter| {
        frames(
            meter,
            r#"{"type":"hear","payload":{"roomId":12345,"urgency":0.5}}"#,
        );
    }),
    ("a message that is refused", |meter| {
        frames(
            meter,
            r#"{"type":"hear","payload":{"roomId":12345,"urgency":1.5},"rpcId":"a-17"}"#,
        );
    }),
    ("a message that sends to a room", |meter| {
        frames(
            meter,
            r#"{"type":"say","payload":{"roomId":12345,"urgency":0.5},"rpcId":"a-17"}"#,
        );
    }),
];

/// Runs what has this name.
pub(crate) fn run(name: &str) -> Result<(), String> {
    let (_, run) = STAGES
        .iter()
        .chain([&WITH_NOTHING])
        .chain(&ALONE)
        .chain(&CASES)
        .find(|(known, _)| *known == name)
        .ok_or_else(|| format!("nothing that is measured is called `{name}`"))?;
    run(Messages);
    Ok(())
}

impl Meter for Messages {
    fn service<S, R>(self, mut service: S, request: impl Fn() -> R)
    where
        S: Service<R>,
        S::Error: Debug,
    {
        for _ in 0..WARM_UP {
            one_counted_message(&mut service, request());
        }
        steady_state(&mut service, request);
    }

    fn function<T>(self, function: impl Fn() -> T) {
        self.service(
            tower::service_fn(|()| {
                black_box(function());
                std::future::ready(Ok::<_, std::convert::Infallible>(()))
            }),
            || (),
        );
    }
}

/// What was counted before is forgotten. Both functions are known to callgrind by their names.
#[inline(never)]
fn steady_state<S, R>(service: &mut S, request: impl Fn() -> R)
where
    S: Service<R>,
    S::Error: Debug,
{
    for _ in 0..COUNT {
        one_counted_message(service, request());
    }
}

/// From the request to the answer, which is dropped.
#[inline(never)]
fn one_counted_message<S, R>(service: &mut S, request: R)
where
    S: Service<R>,
    S::Error: Debug,
{
    let response = service.call(request).now_or_never().expect("nothing waits here");
    black_box(response.expect("nothing fails here"));
}

#[derive(Serialize, JsonSchema)]
struct Said {
    id: u32,
}

impl Outgoing for Said {
    const TYPE: &'static str = "said";
}

async fn hear(_: Context<User>, _: Post) -> Result<(), Error> {
    Ok(())
}

async fn say(cx: Context<User>, post: Post) -> Result<(), Error> {
    cx.send(Said { id: post.room_id }).to_room("room");
    Ok(())
}

/// One frame after the other to an app with these handlers. The client is in the room, and reads what is sent there;
/// that is not counted.
fn frames(meter: Messages, frame: &'static str) {
    let zo = stages::app();
    let router = zo
        .router()
        .outgoing::<Said>()
        .incoming("hear", zo.message().input::<Post>().handle(hear))
        .incoming("say", zo.message().input::<Post>().handle(say))
        .into_service()
        .expect("it is sound");
    let stack = ServiceBuilder::new()
        .layer(DecodeLayer::json())
        .layer(RescueLayer::new())
        .service(router);
    let (connection, mailbox) = stages::connected();
    let join = Effect::Join("room".into());
    let hub = connection.hub();
    hub.perform(Some(&connection.client_id()), join)
        .expect("there is room");
    let events = RefCell::new(Vec::new());
    meter.service(ReadFrame { stack, connection }, || {
        mailbox.pull(&mut events.borrow_mut());
        events.borrow_mut().clear();
        frame
    });
}
