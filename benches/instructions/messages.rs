//! The measured messages: one run of the program for each.

use std::{borrow::Cow, cell::RefCell, fmt::Debug, hint::black_box};

use futures_util::FutureExt;
use schemars::JsonSchema;
use serde::Serialize;
use tower::{
    Service, ServiceBuilder,
    layer::{layer_fn, util::Identity},
};
use zocket::{
    Code, Context, Error, Outgoing, Refusal,
    layers::{Codec, DecodeLayer, Effect, Form, RescueLayer},
};

use crate::{
    connections::CONNECTIONS,
    record::NOTHING,
    stages::{self, Meter, Nothing, Post, ReadFrame, User, routed},
};

/// Messages before the count, which fill caches and grow collections.
const WARM_UP: usize = 100;

/// Number of counted messages.
pub(crate) const COUNT: usize = 1_000;

pub(crate) struct Messages;

/// The name of a row, and the function that runs it.
pub(crate) type Row = (&'static str, fn(Messages));

/// Each stage with the stages inside. Its own cost is the difference to the row before.
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

/// An empty layer around all stages.
pub(crate) const WITH_NOTHING: Row = (NOTHING, |meter| routed(meter, layer_fn(Nothing)));

/// Work that an app without a pipeline does as well.
pub(crate) const ALONE: [Row; 2] = [
    ("serde and garde alone", |meter| {
        meter.function(stages::parse_and_validate)
    }),
    ("the answer's JSON alone", |meter| {
        meter.function(|| stages::serialize(12348))
    }),
];

/// Other messages through all stages.
pub(crate) const CASES: [Row; 5] = [
    ("a message without an answer", |meter| {
        frames(
            meter,
            Form::BASE,
            r#"{"type":"hear","payload":{"roomId":12345,"urgency":0.5}}"#,
        );
    }),
    ("a message that is refused", |meter| {
        frames(
            meter,
            Form::BASE,
            r#"{"type":"hear","payload":{"roomId":12345,"urgency":1.5},"rpcId":"a-17"}"#,
        );
    }),
    ("a message that its handler refuses", |meter| {
        frames(
            meter,
            Form::extended(Codec::Json),
            r#"{"type":"refuse","payload":{"roomId":12345,"urgency":0.5},"rpcId":"a-17"}"#,
        );
    }),
    ("the same with data", |meter| {
        frames(
            meter,
            Form::extended(Codec::Json),
            r#"{"type":"outbid","payload":{"roomId":12345,"urgency":0.5},"rpcId":"a-17"}"#,
        );
    }),
    ("a message that sends to a room", |meter| {
        frames(
            meter,
            Form::BASE,
            r#"{"type":"say","payload":{"roomId":12345,"urgency":0.5},"rpcId":"a-17"}"#,
        );
    }),
];

/// Runs the row with this name.
pub(crate) fn run(name: &str) -> Result<(), String> {
    let (_, run) = STAGES
        .iter()
        .chain([&WITH_NOTHING])
        .chain(&ALONE)
        .chain(&CASES)
        .chain(&CONNECTIONS)
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

/// Runs the counted messages. callgrind resets its counters here, by this function's name.
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

/// Runs one message from the request to the answer. callgrind counts here, by this function's name.
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
pub(crate) struct Said {
    pub(crate) id: u32,
}

impl Outgoing for Said {
    const TYPE: &'static str = "said";
}

/// Data of a refusal.
#[derive(Serialize, JsonSchema)]
struct Outbid {
    least: u32,
    bidder: &'static str,
}

impl Refusal for Outbid {
    const CODE: Code = Code::app("OUTBID");

    fn message(&self) -> Cow<'static, str> {
        SENTENCE.into()
    }
}

const SENTENCE: &str = "there is a higher bid";
const CLOSED: Code = Code::app("CLOSED");

async fn refuse(_: Context<User>, _: Post) -> Result<(), Error> {
    Err(Error::new(CLOSED, SENTENCE))
}

async fn outbid(_: Context<User>, post: Post) -> Result<(), Error> {
    Err(Error::refuse(Outbid {
        least: post.room_id,
        bidder: "Ann",
    }))
}

async fn hear(_: Context<User>, _: Post) -> Result<(), Error> {
    Ok(())
}

async fn say(cx: Context<User>, post: Post) -> Result<(), Error> {
    cx.send(Said { id: post.room_id }).to_room("room");
    Ok(())
}

/// Sends frames to an app with these handlers. The client is in the room and reads its events, outside the count.
fn frames(meter: Messages, form: Form, frame: &'static str) {
    let zo = stages::app();
    let message = || zo.message().input::<Post>();
    let router = zo
        .router()
        .outgoing::<Said>()
        .incoming("hear", message().handle(hear))
        .incoming("refuse", message().declare_code(CLOSED).handle(refuse))
        .incoming("outbid", message().refuses::<Outbid>().handle(outbid))
        .incoming("say", message().handle(say))
        .into_service()
        .expect("it is sound");
    let stack = ServiceBuilder::new()
        .layer(DecodeLayer::json())
        .layer(RescueLayer::new())
        .service(router);
    let (connection, mailbox) = stages::connected(form);
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
