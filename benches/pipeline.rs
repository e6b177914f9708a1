//! What one message costs, without a socket: `cargo bench --bench pipeline`.
//!
//! Each benchmark adds one stage around those before it, so that a stage's own cost is the difference between two
//! neighbours: in nanoseconds, and in allocations, which do not depend on the machine.

use std::{hint::black_box, sync::Arc};

use divan::{AllocProfiler, Bencher};
use futures_util::FutureExt;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tower::{BoxError, Layer, Service, ServiceBuilder, layer::util::Identity};
use zocket::{
    ClientId, Connection, Context, Error, Limits, LocalHub, Message, NoHeaders, RawPayload, Reply, Zocket,
    layers::{
        ContextLayer, Declared, DecodeLayer, FanoutLayer, Frame, Hub, RescueLayer, ValidateLayer, Wire,
        handler_fn, middleware::with,
    },
};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

struct User {
    name: String,
}

struct Named {
    length: usize,
}

#[derive(Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
struct Post {
    #[garde(range(max = 1_000_000))]
    room_id: u32,
    #[garde(range(min = 0.0, max = 1.0))]
    urgency: f64,
}

#[derive(Serialize, JsonSchema)]
struct Posted {
    id: u64,
}

const PAYLOAD: &str = r#"{"roomId":12345,"urgency":0.5}"#;
const FRAME: &str = r#"{"type":"chat.post","payload":{"roomId":12345,"urgency":0.5},"rpcId":"a-17"}"#;

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

fn connection() -> Connection {
    let hub = Arc::new(LocalHub::new());
    let limits = Arc::new(Limits::default());
    let client = ClientId::random();
    hub.connect(client, &limits);
    Connection::new(
        client,
        Wire::Base,
        Arc::new(User { name: "Ann".into() }),
        hub,
        Declared::default(),
        limits,
    )
}

/// Calls a service with what `request` makes; making it is not measured.
fn call<S, R>(bencher: Bencher<'_, '_>, mut service: S, request: impl Fn() -> R)
where
    S: Service<R>,
    S::Error: std::fmt::Debug,
{
    bencher.with_inputs(request).bench_local_values(|request| {
        let response = service.call(request).now_or_never().expect("nothing waits here");
        black_box(response.expect("nothing fails here"))
    });
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

#[divan::bench]
fn a_handler(bencher: Bencher<'_, '_>) {
    let connection = connection();
    let value = connection.context::<User>().expect("it is a User");
    call(bencher, handler_fn(post_plain), || {
        let (parts, (), _) = raw(&connection).into_parts();
        let context = Context::of_message(&parts, value.clone());
        Message::from_parts(parts, context, post_input())
    });
}

#[divan::bench]
fn b_with_middleware(bencher: Bencher<'_, '_>) {
    let connection = connection();
    let value = connection.context::<User>().expect("it is a User");
    call(bencher, with(named).layer(handler_fn(post)), || {
        let (parts, (), _) = raw(&connection).into_parts();
        let context = Context::of_message(&parts, value.clone());
        Message::from_parts(parts, context, post_input())
    });
}

#[divan::bench]
fn c_context(bencher: Bencher<'_, '_>) {
    let connection = connection();
    let service = ServiceBuilder::new()
        .layer(ContextLayer::<User>::new())
        .layer(with(named))
        .service(handler_fn(post));
    call(bencher, service, || {
        raw(&connection).map_payload(|_| post_input())
    });
}

fn validated() -> impl Service<Message, Response = Reply, Error = BoxError> + Clone {
    ServiceBuilder::new()
        .layer(ValidateLayer::<Post>::new())
        .layer(ContextLayer::<User>::new())
        .layer(with(named))
        .service(handler_fn(post))
}

#[divan::bench]
fn d_validate(bencher: Bencher<'_, '_>) {
    let connection = connection();
    call(bencher, validated(), || raw(&connection));
}

#[divan::bench]
fn e_fanout(bencher: Bencher<'_, '_>) {
    let connection = connection();
    let service = FanoutLayer::new(connection.hub().clone()).layer(validated());
    call(bencher, service, || raw(&connection));
}

#[divan::bench]
fn f_rescue(bencher: Bencher<'_, '_>) {
    let connection = connection();
    let fanout = FanoutLayer::new(connection.hub().clone());
    call(
        bencher,
        RescueLayer::new().layer(fanout.layer(validated())),
        || raw(&connection),
    );
}

#[divan::bench]
fn g_decode_and_encode(bencher: Bencher<'_, '_>) {
    let connection = connection();
    let service = ServiceBuilder::new()
        .layer(DecodeLayer::json())
        .layer(RescueLayer::new())
        .layer(FanoutLayer::new(connection.hub().clone()))
        .service(validated());
    call(bencher, service, || Frame::new(connection.clone(), FRAME));
}

/// The whole pipeline of an app: the stages above, and the router with its one box.
#[divan::bench]
fn h_router(bencher: Bencher<'_, '_>) {
    let connection = connection();
    let zo = Zocket::builder()
        .on_connect(async |_: NoHeaders, _: ClientId| Ok(User { name: "Ann".into() }))
        .build();
    let procedure = zo.message().input::<Post>().with(named).handle(post);
    let router = zo
        .router()
        .incoming("chat.post", procedure)
        .into_service()
        .expect("it is sound");
    let service = ServiceBuilder::new()
        .layer(DecodeLayer::json())
        .layer(RescueLayer::new())
        .layer(Identity::new())
        .service(router);
    call(bencher, service, || Frame::new(connection.clone(), FRAME));
}

/// For comparison: serde's and garde's share of a message.
#[divan::bench]
fn z_serde_and_garde_alone(bencher: Bencher<'_, '_>) {
    bencher.bench_local(|| {
        let post: Post = serde_json::from_str(black_box(PAYLOAD)).expect("it is a Post");
        post.validate().expect("it is valid");
        black_box(
            serde_json::to_vec(&Posted {
                id: u64::from(post.room_id),
            })
            .expect("it is JSON"),
        )
    });
}
