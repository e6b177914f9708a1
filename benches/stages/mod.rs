//! The stages of a message, each around the stages before it: `pipeline` measures their time, `instructions` their
//! instructions. A stage's own cost is the difference between two neighbours.

use std::{
    fmt::Debug,
    hint::black_box,
    sync::Arc,
    task::{Context as Task, Poll},
};

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tower::{BoxError, Layer, Service, ServiceBuilder};
use zocket::{
    ClientId, Connection, Context, Error, Limits, LocalHub, Message, NoHeaders, RawPayload, Reply,
    RouterService, Zocket,
    layers::{
        ContextLayer, Declared, DecodeLayer, FanoutLayer, Form, Frame, Hub, Mailbox, RescueLayer,
        ValidateLayer, handler_fn, hub::ConnectOptions, middleware::with,
    },
};

/// A way to measure a stage.
pub(crate) trait Meter {
    /// Measures calls in sequence, each with a result of `request`, which is not measured.
    fn service<S, R>(self, service: S, request: impl Fn() -> R)
    where
        S: Service<R>,
        S::Error: Debug;

    /// Measures runs in sequence.
    fn function<T>(self, function: impl Fn() -> T);
}

pub(crate) struct User {
    pub(crate) name: String,
}

impl User {
    pub(crate) fn ann() -> Self {
        Self { name: "Ann".into() }
    }
}

struct Named {
    length: usize,
}

#[derive(Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Post {
    #[garde(range(max = 1_000_000))]
    pub(crate) room_id: u32,
    #[garde(range(min = 0.0, max = 1.0))]
    urgency: f64,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Posted {
    pub(crate) id: u64,
}

const PAYLOAD: &str = r#"{"roomId":12345,"urgency":0.5}"#;
pub(crate) const FRAME: &str =
    r#"{"type":"chat.post","payload":{"roomId":12345,"urgency":0.5},"rpcId":"a-17"}"#;

async fn named(cx: Context<User>) -> Result<Named, Error> {
    Ok(Named {
        length: cx.name.len(),
    })
}

async fn post(cx: Context<Named>, input: Post) -> Result<Posted, Error> {
    Ok(Posted {
        id: cx.length as u64 + u64::from(input.room_id) + input.urgency as u64,
    })
}

async fn post_plain(cx: Context<User>, input: Post) -> Result<Posted, Error> {
    Ok(Posted {
        id: cx.name.len() as u64 + u64::from(input.room_id) + input.urgency as u64,
    })
}

/// Returns a client's connection, and its mailbox.
pub(crate) fn connected(form: Form) -> (Connection, Arc<Mailbox>) {
    let hub = Arc::new(LocalHub::new());
    let limits = Arc::new(Limits::default());
    let client = ClientId::random();
    let mailbox = hub.connect(client, &ConnectOptions::new(limits.clone(), form));
    let user = Arc::new(User::ann());
    let connection = Connection::new(client, form, user, hub, Declared::default(), limits);
    (connection, mailbox)
}

fn connection() -> Connection {
    connected(Form::BASE).0
}

fn raw(connection: &Connection) -> Message {
    Message::new(connection.clone(), "chat.post", RawPayload::json(PAYLOAD))
}

fn post_input() -> Post {
    Post {
        room_id: 12345,
        urgency: 0.5,
    }
}

/// Returns a function that makes requests as the context stage does.
fn with_context(connection: &Connection) -> impl Fn() -> Message<Post, Context<User>> {
    let value = connection.context::<User>().expect("it is a User");
    move || {
        let (parts, (), _) = raw(connection).into_parts();
        let context = Context::of_message(&parts, value.clone());
        Message::from_parts(parts, context, post_input())
    }
}

pub(crate) fn handler(meter: impl Meter) {
    let connection = connection();
    meter.service(handler_fn(post_plain), with_context(&connection));
}

pub(crate) fn middleware(meter: impl Meter) {
    let connection = connection();
    meter.service(with(named).layer(handler_fn(post)), with_context(&connection));
}

pub(crate) fn context(meter: impl Meter) {
    let connection = connection();
    let service = ServiceBuilder::new()
        .layer(ContextLayer::<User>::new())
        .layer(with(named))
        .service(handler_fn(post));
    meter.service(service, || raw(&connection).map_payload(|_| post_input()));
}

fn validated() -> impl Service<Message, Response = Reply, Error = BoxError> + Clone {
    ServiceBuilder::new()
        .layer(ValidateLayer::<Post>::new())
        .layer(ContextLayer::<User>::new())
        .layer(with(named))
        .service(handler_fn(post))
}

pub(crate) fn validate(meter: impl Meter) {
    let connection = connection();
    meter.service(validated(), || raw(&connection));
}

pub(crate) fn fanout(meter: impl Meter) {
    let connection = connection();
    let service = FanoutLayer::new().layer(validated());
    meter.service(service, || raw(&connection));
}

pub(crate) fn rescue(meter: impl Meter) {
    let connection = connection();
    let fanout = FanoutLayer::new();
    let service = RescueLayer::new().layer(fanout.layer(validated()));
    meter.service(service, || raw(&connection));
}

/// Makes a frame from a text as a connection does, reads its head, and calls a stack with it.
#[derive(Clone)]
pub(crate) struct ReadFrame<S> {
    pub(crate) stack: S,
    pub(crate) connection: Connection,
}

impl<S: Service<Frame>> Service<&'static str> for ReadFrame<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), S::Error>> {
        self.stack.poll_ready(cx)
    }

    fn call(&mut self, text: &'static str) -> S::Future {
        self.stack.call(Frame::read_text(self.connection.clone(), text))
    }
}

pub(crate) fn decode(meter: impl Meter) {
    let stack = ServiceBuilder::new()
        .layer(DecodeLayer::json())
        .layer(RescueLayer::new())
        .layer(FanoutLayer::new())
        .service(validated());
    let connection = connection();
    meter.service(ReadFrame { stack, connection }, || FRAME);
}

/// Returns an app whose contexts are users.
pub(crate) fn app() -> Zocket<User> {
    Zocket::builder()
        .on_connect(async |_: NoHeaders, _: ClientId| Ok(User::ann()))
        .build()
}

/// Measures the whole pipeline of an app, with a layer around all routes: the stages above, and the router with its one
/// box.
pub(crate) fn routed<L>(meter: impl Meter, layer: L)
where
    L: Layer<RouterService>,
    L::Service: Service<Message, Response = Reply, Error = BoxError> + Clone,
{
    let zo = app();
    let procedure = zo.message().input::<Post>().with(named).handle(post);
    let router = zo
        .router()
        .incoming("chat.post", procedure)
        .into_service()
        .expect("it is sound");
    let stack = ServiceBuilder::new()
        .layer(DecodeLayer::json())
        .layer(RescueLayer::new())
        .layer(layer)
        .service(router);
    let connection = connection();
    meter.service(ReadFrame { stack, connection }, || FRAME);
}

/// A layer that only forwards.
#[derive(Clone)]
pub(crate) struct Nothing<S>(pub(crate) S);

impl<S: Service<Message>> Service<Message> for Nothing<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, message: Message) -> S::Future {
        self.0.call(message)
    }
}

/// Parses and validates the payload with serde and garde alone, for comparison.
pub(crate) fn parse_and_validate() -> Post {
    let post: Post = serde_json::from_str(black_box(PAYLOAD)).expect("it is a Post");
    post.validate().expect("it is valid");
    post
}

/// Serialises the answer with serde alone, for comparison.
pub(crate) fn serialize(id: u64) -> Vec<u8> {
    serde_json::to_vec(&Posted { id: black_box(id) }).expect("it is JSON")
}
