//! TIMEOUT: messages that exceed a layer's timeout.

use std::time::Duration;

use serde_json::{Value, json};
use tower::timeout::TimeoutLayer;

use super::{State, app, builder, code, connect, never, router};

#[tokio::test]
async fn a_timeout_is_reported_from_every_layer_position() {
    let soon = || TimeoutLayer::new(Duration::from_millis(20));
    let state = State::default();

    let zo = app(&state);
    let routes = zo
        .router()
        .incoming("procedure", zo.message().layer(soon()).handle(never))
        .nest("router", router(&zo).layer(soon()));
    let mut client = connect(zo.serve(routes)).await;
    assert_eq!(code(&mut client, "procedure").await, "TIMEOUT");
    assert_eq!(code(&mut client, "router.never").await, "TIMEOUT");
    assert_eq!(
        client.call("router.echo", Value::Null).await,
        Ok(Some(json!("here")))
    );

    let zo = builder(&state).layer(soon()).build();
    let mut client = connect(zo.serve(router(&zo))).await;
    assert_eq!(code(&mut client, "never").await, "TIMEOUT");
    assert_eq!(client.call("echo", Value::Null).await, Ok(Some(json!("here"))));
}
