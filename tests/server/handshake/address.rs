//! Limits of handshakes and of open connections for each address.

use std::{net::IpAddr, time::Duration};

use common::{listen, until};
use parking_lot::Mutex;
use serde_json::json;
use tower::Layer;
use zocket::{
    Error, Message, Next,
    address::{AddressLimitLayer, ClientAddr, TrustedProxies},
    layers::Quota,
    server,
};

use super::*;

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<Context<Self>>>>);

/// Returns an app that keeps the context of each connection for ever, and refuses clients that ask for it.
fn keeping() -> (Zocket<Kept>, UpgradeService) {
    #[derive(Deserialize, JsonSchema, Validate)]
    struct Wish {
        #[garde(skip)]
        refuse: Option<String>,
    }
    let zo = Zocket::builder()
        .on_connect_with(
            Kept::default(),
            async |kept: Kept, wish: Wish, _: ClientId| match wish.refuse {
                Some(_) => Err(Error::unauthorized("as you wish")),
                None => Ok(kept),
            },
        )
        .on_open(async |cx: Context<Kept>| {
            cx.0.lock().push(cx.clone());
            Ok(())
        })
        .build();
    let service = zo.serve(zo.router());
    (zo, service)
}

/// Serves an app behind a layer.
async fn limited(layer: AddressLimitLayer) -> (Zocket<Kept>, Server) {
    let (zo, service) = keeping();
    let service = layer.layer(service);
    (zo, listen(|listener| server::serve(listener, service)).await)
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn an_address_beyond_its_quota_of_handshakes_gets_429_with_the_time_to_wait() {
    let (_, server) = limited(AddressLimitLayer::new().handshakes(Quota::new(3, MINUTE))).await;
    // Refused handshakes count, too.
    assert_eq!(raw().send(&server).await.status, 101);
    assert_eq!(
        raw().start("GET /?refuse=1 HTTP/1.1").send(&server).await.status,
        401
    );
    assert_eq!(raw().without("Upgrade").send(&server).await.status, 426);
    let answer = raw().send(&server).await;
    assert_eq!(
        (answer.status, &answer.body["code"]),
        (429, &json!("TOO_MANY_REQUESTS"))
    );
    let wait: u64 = answer.fields["retry-after"].parse().unwrap();
    assert!((1..=20).contains(&wait), "{wait}");
}

#[tokio::test]
async fn an_address_has_a_maximum_of_open_connections() {
    let (zo, server) = limited(AddressLimitLayer::new().connections(2)).await;
    let first = server.connect("").await;
    let _second = server.connect("").await;
    for _ in 0..3 {
        let (status, body) = refused(&server, "").await;
        assert_eq!((status, &body["code"]), (429, &json!("TOO_MANY_REQUESTS")));
    }
    // A connection that has ended no longer counts, although the app keeps its context.
    first.close().await;
    until(|| zo.connections() == 1).await;
    let third = loop {
        match server.try_connect("", &[]).await {
            Ok(client) => break client,
            Err((status, _)) => assert_eq!(status, 429),
        }
    };
    assert_eq!(refused(&server, "").await.0, 429);
    // A lost connection counts no longer, either.
    drop(third);
    until(|| zo.connections() == 1).await;
    while server.try_connect("", &[]).await.is_err() {}
}

#[tokio::test]
async fn a_refused_handshake_is_no_open_connection() {
    let (zo, server) = limited(AddressLimitLayer::new().connections(1)).await;
    for _ in 0..5 {
        assert_eq!(refused(&server, "refuse=1").await.0, 401);
        assert_eq!(raw().without("Upgrade").send(&server).await.status, 426);
    }
    let _client = server.connect("").await;
    assert_eq!(refused(&server, "").await.0, 429);
    assert_eq!(zo.connections(), 1);
}

#[tokio::test]
async fn clients_behind_a_trusted_proxy_are_limited_by_the_address_that_it_reports() {
    let proxies = TrustedProxies::x_forwarded_for(["127.0.0.0/8"]).unwrap();
    let layer = AddressLimitLayer::new()
        .handshakes(Quota::new(1, MINUTE))
        .trusting(proxies);
    let (_, server) = limited(layer).await;
    let status = async |entries: &str| raw().with("X-Forwarded-For", entries).send(&server).await.status;
    for (entries, expected) in [
        ("203.0.113.1", 101),
        ("203.0.113.1", 429),
        ("203.0.113.2", 101),
        // The last entry counts, whatever the client has sent before it.
        ("198.51.100.1, 203.0.113.1", 429),
        ("203.0.113.9, 203.0.113.2", 429),
        // One /64.
        ("2001:db8::1", 101),
        ("2001:db8::2", 429),
        ("2001:db8:0:1::1", 101),
        // The proxy's own address.
        ("unknown", 101),
        ("nonsense", 429),
    ] {
        assert_eq!(status(entries).await, expected, "{entries}");
    }
    assert_eq!(raw().send(&server).await.status, 429);
}

#[tokio::test]
async fn a_client_can_not_choose_its_address() {
    let elsewhere = TrustedProxies::forwarded(["10.0.0.0/8"]).unwrap();
    for layer in [
        AddressLimitLayer::new(),
        AddressLimitLayer::new().trusting(elsewhere),
    ] {
        let (_, server) = limited(layer.handshakes(Quota::new(1, MINUTE))).await;
        let status = async |name, value: &str| raw().with(name, value).send(&server).await.status;
        assert_eq!(status("X-Forwarded-For", "203.0.113.1").await, 101);
        assert_eq!(status("X-Forwarded-For", "203.0.113.2").await, 429);
        assert_eq!(status("Forwarded", "for=203.0.113.3").await, 429);
    }
}

#[tokio::test]
async fn messages_find_the_clients_address() {
    let seen = Arc::<Mutex<Vec<String>>>::default();
    let log = seen.clone();
    let look = zocket::from_fn(move |message: Message, next: Next| {
        let client = message.parts().connection().extensions().get::<ClientAddr>();
        log.lock().push(client.unwrap().0.unwrap().to_string());
        next.run(message)
    });
    let zo = Zocket::builder().layer(look).build();
    let proxies = TrustedProxies::forwarded(["127.0.0.1"]).unwrap();
    let service = AddressLimitLayer::new()
        .trusting(proxies)
        .layer(zo.serve(zo.router()));
    let server = listen(|listener| server::serve(listener, service)).await;
    for (fields, expected) in [
        (&[][..], "127.0.0.1"),
        (&[("forwarded", "for=\"[2001:db8::1]:4711\"")], "2001:db8::1"),
        (&[("x-forwarded-for", "203.0.113.1")], "127.0.0.1"),
    ] {
        let mut client = server.try_connect("", fields).await.ok().unwrap();
        client.expect_nothing().await;
        assert_eq!(seen.lock().pop().unwrap(), expected, "{fields:?}");
    }
}

#[tokio::test]
async fn clients_without_an_address_share_their_limits_and_other_sources_can_be_read() {
    #[derive(Clone)]
    struct Tunnel(IpAddr);

    let (_, service) = keeping();
    let layer = AddressLimitLayer::new()
        .peer(|extensions| Some(extensions.get::<Tunnel>()?.0))
        .connections(1);
    let inner = layer.layer(service);
    let from = |address: Option<&str>| {
        let tunnel = address.map(|address| Tunnel(address.parse().unwrap()));
        let service = inner.clone();
        let service = tower::util::MapRequest::new(service, move |mut request: http::Request<_>| {
            tunnel
                .clone()
                .map(|tunnel| request.extensions_mut().insert(tunnel));
            request
        });
        serve(service)
    };
    let mut open = Vec::new();
    for address in [None, Some("192.0.2.1"), Some("192.0.2.2")] {
        let (server, again) = (from(address).await, from(address).await);
        open.push(server.connect("").await);
        assert_eq!(refused(&again, "").await.0, 429, "{address:?}");
    }
}

#[tokio::test]
async fn layers_around_each_other_count_each_for_itself() {
    let (zo, service) = keeping();
    let (wide, narrow) = (
        AddressLimitLayer::new().connections(2),
        AddressLimitLayer::new().connections(1),
    );
    let both = wide.layer(narrow.layer(service.clone()));
    let inner = listen(|listener| server::serve(listener, both)).await;
    let alone = wide.layer(service);
    let outer = listen(|listener| server::serve(listener, alone)).await;
    let first = inner.connect("").await;
    assert_eq!(refused(&inner, "").await.0, 429);
    let _second = outer.connect("").await;
    assert_eq!(refused(&outer, "").await.0, 429);
    first.close().await;
    until(|| zo.connections() == 1).await;
    while outer.try_connect("", &[]).await.is_err() {}
}
