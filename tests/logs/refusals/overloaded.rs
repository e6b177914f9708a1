//! OVERLOADED: shed load, a closed buffer, a full room.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tower::{
    BoxError, Service, ServiceBuilder, buffer::Buffer, layer::layer_fn, limit::GlobalConcurrencyLimitLayer,
    load_shed::LoadShedLayer,
};
use zocket::{Context, Error, Limits, Message, Reply, Route, RouterService};

use super::{
    State, Tick, app, builder, code,
    common::{Client, Server, serve, until},
    connect, echo, echoing, wait,
};

/// Makes two clients wait where one may: the second is refused. Returns the second.
async fn second_is_shed(server: &Server, state: &State) -> Client {
    let (mut first, mut second) = (server.connect("").await, server.connect("").await);
    let id = first.begin("wait", Value::Null).await;
    state.begun().await;
    assert_eq!(code(&mut second, "wait").await, "OVERLOADED");
    state.gate.notify_one();
    assert_eq!(first.answer(&id).await, Ok(Some(json!("done"))));
    second
}

#[tokio::test]
async fn shed_load_is_overloaded() {
    let state = State::default();
    let zo = app(&state);
    let one = ServiceBuilder::new()
        .layer(LoadShedLayer::new())
        .layer(GlobalConcurrencyLimitLayer::new(1))
        .into_inner();
    let wait = zo.message().layer(one).handle(wait);
    let server = serve(zo.serve(zo.router().incoming("wait", wait))).await;
    let mut second = second_is_shed(&server, &state).await;
    // The layer shed one message, and the connection continues.
    let id = second.begin("wait", Value::Null).await;
    state.begun().await;
    state.gate.notify_one();
    assert_eq!(second.answer(&id).await, Ok(Some(json!("done"))));
}

#[tokio::test]
async fn load_shed_by_the_app_is_overloaded() {
    let state = State::default();
    let zo = builder(&state)
        .layer(LoadShedLayer::new())
        .layer(GlobalConcurrencyLimitLayer::new(1))
        .build();
    let server = serve(zo.serve(zo.router().incoming("wait", zo.message().handle(wait)))).await;
    second_is_shed(&server, &state).await;
}

/// A buffer that the test can close.
#[derive(Clone, Default)]
struct Buffered(Arc<Mutex<Option<tokio::task::AbortHandle>>>);

impl Buffered {
    fn around<S>(&self, service: S) -> Buffer<Message, S::Future>
    where
        S: Service<Message, Response = Reply, Error = BoxError> + Send + 'static,
        S::Future: Send,
    {
        let (buffer, worker) = Buffer::pair(service, 8);
        *self.0.lock().unwrap() = Some(tokio::spawn(worker).abort_handle());
        buffer
    }

    async fn close(&self) {
        let worker = self.0.lock().unwrap().take().unwrap();
        worker.abort();
        until(|| worker.is_finished()).await;
    }
}

#[tokio::test]
async fn a_routes_closed_buffer_is_overloaded_and_affects_no_other_route() {
    let (state, buffered) = (State::default(), Buffered::default());
    let zo = app(&state);
    let layer = {
        let buffered = buffered.clone();
        layer_fn(move |route: Route| buffered.around(route))
    };
    let inner = echoing(&zo).layer(layer);
    let router = zo
        .router()
        .nest("buffered", inner)
        .incoming("echo", zo.message().handle(echo));
    let mut client = connect(zo.serve(router)).await;
    assert_eq!(
        client.call("buffered.echo", Value::Null).await,
        Ok(Some(json!("here")))
    );
    buffered.close().await;
    assert_eq!(code(&mut client, "buffered.echo").await, "OVERLOADED");
    assert_eq!(code(&mut client, "buffered.echo").await, "OVERLOADED");
    assert_eq!(client.call("echo", Value::Null).await, Ok(Some(json!("here"))));
}

#[tokio::test]
async fn an_apps_closed_buffer_is_overloaded_and_closes_the_connection() {
    let (state, buffered) = (State::default(), Buffered::default());
    let layer = {
        let buffered = buffered.clone();
        layer_fn(move |router: RouterService| buffered.around(router))
    };
    let zo = builder(&state).layer(layer).build();
    let mut client = connect(zo.serve(echoing(&zo))).await;
    assert_eq!(client.call("echo", Value::Null).await, Ok(Some(json!("here"))));
    buffered.close().await;
    assert_eq!(code(&mut client, "echo").await, "OVERLOADED");
    assert_eq!(client.closed().await, (1011, "unavailable".to_owned()));
    drop(client);
    until(|| zo.connections() == 0).await;
}

#[tokio::test]
async fn a_full_room_is_overloaded() {
    fn fill(cx: &Context<State>) -> Result<(), Error> {
        cx.rooms().join("room")?;
        for _ in 0..20 {
            cx.send(Tick("x".repeat(1_000))).to_room("room");
        }
        Ok(())
    }
    async fn flood(cx: Context<State>) -> Result<(), Error> {
        fill(&cx)
    }
    async fn flushed(cx: Context<State>) -> Result<String, Error> {
        fill(&cx)?;
        Ok(cx.flush().await.unwrap_err().code().to_string())
    }
    let zo = builder(&State::default())
        .limits(Limits::default().room_backlog(14_600))
        .build();
    let router = zo
        .router()
        .outgoing::<Tick>()
        .incoming("flood", zo.message().handle(flood))
        .incoming("atomic", zo.message().atomic().handle(flood))
        .incoming("flushed", zo.message().handle(flushed));
    let mut client = connect(zo.serve(router)).await;
    for route in ["flood", "atomic"] {
        assert_eq!(code(&mut client, route).await, "OVERLOADED", "{route}");
        // Events that the room accepted were delivered before the refusal.
        let mut ticks = 0;
        while client.call("no.such.route", Value::Null).await.is_err() && ticks < 5 {
            client.event("tick").await;
            ticks += 1;
        }
        client.expect_nothing().await;
    }
    // `flush` has reported the error, so the message succeeds.
    assert_eq!(
        client.call("flushed", Value::Null).await,
        Ok(Some(json!("OVERLOADED")))
    );
}
