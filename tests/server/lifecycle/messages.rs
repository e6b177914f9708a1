//! No message is lost: neither the first, in the packet of the request, nor the last ones before the Close.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tower::Service;
use zocket::Limits;

use super::{
    World, all_gone, app,
    common::{
        raw::{FIN, TEXT, frame},
        serve, until,
    },
    request_upgrade, router, start, visit,
};

#[tokio::test]
async fn a_message_in_the_packet_of_the_upgrade_is_not_lost() {
    let world = World::new();
    let (zo, server) = start(app(&world)).await;
    let message = frame(FIN | TEXT, br#"{"type":"quick"}"#);
    let stream = request_upgrade(&server, &message).await;
    world.noted("quick").await;
    drop(stream);
    all_gone(&zo, &world, 1).await;
}

#[tokio::test]
async fn messages_received_before_a_close_are_handled() {
    let world = World::new();
    let (zo, mut client) = visit(app(&world)).await;
    client.begin("work", Value::Null).await;
    for _ in 0..10 {
        client.send(json!({ "type": "quick" })).await;
    }
    client.socket.close(None).await.unwrap();
    world.noted("work begins").await;
    world.handler.add_permits(1);
    all_gone(&zo, &world, 1).await;
    let mut expected = vec!["on_connect", "work begins", "work ends"];
    expected.extend(["quick"; 10]);
    expected.push("on_disconnect in []");
    assert_eq!(world.log(), expected);
}

#[tokio::test]
async fn messages_before_a_close_are_handled_beyond_the_queue_size() {
    let world = World::new();
    let limits = Limits::default().queued(2);
    let (zo, mut client) = visit(app(&world).limits(limits)).await;
    client.begin("work", Value::Null).await;
    for _ in 0..20 {
        client
            .socket
            .feed(Message::text(r#"{"type":"quick"}"#))
            .await
            .unwrap();
    }
    client.socket.close(None).await.unwrap();
    world.noted("work begins").await;
    world.handler.add_permits(1);
    all_gone(&zo, &world, 1).await;
    assert_eq!(world.count("quick"), 20);
}

#[tokio::test]
async fn a_message_waiting_for_readiness_is_handled_after_its_client_left() {
    let world = World::new();
    let open = Arc::new(AtomicBool::new(false));
    let gate = {
        let open = open.clone();
        tower::layer::layer_fn(move |inner| {
            let open = open.clone();
            Gated { inner, open }
        })
    };
    let zo = app(&world).layer(gate).build();
    let mut client = serve(zo.serve(router(&zo))).await.connect("").await;
    client.send(json!({ "type": "quick" })).await;
    client.socket.close(None).await.unwrap();
    until(|| zo.connections() == 1).await;
    drop(client);
    open.store(true, Ordering::SeqCst);
    until(|| zo.connections() == 0).await;
    assert_eq!(world.log(), ["on_connect", "quick", "on_disconnect in []"]);
}

/// A layer that becomes ready when its gate opens, which it polls repeatedly.
#[derive(Clone)]
struct Gated<S> {
    inner: S,
    open: Arc<AtomicBool>,
}

impl<S, R> Service<R> for Gated<S>
where
    S: Service<R>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> {
        if self.open.load(Ordering::SeqCst) {
            return self.inner.poll_ready(cx);
        }
        cx.waker().wake_by_ref();
        std::task::Poll::Pending
    }

    fn call(&mut self, request: R) -> Self::Future {
        self.inner.call(request)
    }
}
