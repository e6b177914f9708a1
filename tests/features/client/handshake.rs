//! The handshake: headers, subprotocol, welcome.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use serde_json::json;
use zocket::client::{BuildError, Client, Outage, Status};

use super::{
    common::until,
    hasty,
    servers::{Mortal, Port},
    soon,
    world::{Headers, World, site, visit},
};

#[tokio::test]
async fn the_welcome_has_the_client_id_the_contract_and_the_limits() {
    let (world, client) = visit().await;
    assert!(client.client_id().is_some());
    assert_eq!(client.contract(), Some(world.app().1));
    let Status::Open(welcome) = client.status() else {
        panic!("{client:?}");
    };
    assert_eq!(welcome.max_message(), 100_000);
}

#[tokio::test]
async fn headers_are_computed_for_each_attempt() {
    let world = World::default();
    let port = Port::new();
    let server = Mortal::serve(&world, &port).await;
    let made = Arc::new(AtomicU32::new(0));
    let client = hasty(port.url(""))
        .headers_with(move || {
            let n = made.fetch_add(1, Ordering::SeqCst);
            async move {
                match n {
                    1 => Err("no token to be had".into()),
                    n => Ok(Headers {
                        name: format!("bot {n}"),
                    }),
                }
            }
        })
        .connect()
        .await
        .unwrap();
    assert_eq!(world.names(), ["bot 0"]);
    client.reconnect();
    until(|| world.names().len() == 2).await;
    assert_eq!(world.names(), ["bot 0", "bot 2"], "the second attempt had none");
    server.die().await;
}

#[tokio::test]
async fn headers_that_do_not_fit_a_field_arrive_in_the_query() {
    let (world, server) = site().await;
    for name in ["Zoë", "two\nlines", " spaces ", "a&b=c+d%20"] {
        let headers = Headers { name: name.into() };
        let client = Client::builder(server.url("")).headers(&headers).unwrap();
        soon(client.connect()).await.unwrap();
    }
    assert_eq!(world.names(), ["Zoë", "two\nlines", " spaces ", "a&b=c+d%20"]);
}

#[tokio::test]
async fn invalid_configuration_fails_at_once() {
    let url = |url: &str| Client::builder(url).start().unwrap_err();
    assert!(matches!(url("nonsense"), BuildError::Url(_)));
    assert!(matches!(url("http://127.0.0.1"), BuildError::Url(_)));
    #[cfg(not(feature = "client-rustls"))]
    assert!(matches!(url("wss://127.0.0.1"), BuildError::Url(_)));
    let builder = Client::builder("ws://127.0.0.1");
    assert!(matches!(
        builder.headers(&json!({ "n": [1] })),
        Err(BuildError::Headers(_))
    ));
    // Headers of the wrong shape are final: another attempt would fail as well.
    let client = Client::builder("ws://127.0.0.1")
        .headers_with(async || Ok(1))
        .start()
        .unwrap();
    let outage = soon(client.ready()).await.unwrap_err();
    assert!(
        matches!(outage, Outage::Build(BuildError::Headers(_))),
        "{outage}"
    );
}
