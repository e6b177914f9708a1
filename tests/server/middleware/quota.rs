//! Zocket's own rate limit, which refuses messages.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use axum::extract::ConnectInfo;
use tokio::time::Instant;
use tower::{ServiceBuilder, limit::GlobalConcurrencyLimitLayer, util::MapRequestLayer};
use zocket::{
    Connection, NoHeaders,
    layers::{Quota, QuotaLayer},
};

use super::{
    common,
    position::{OutsideFanout, Position, WholeApp, serve},
    site::{Script, ask, begin, connect, passed, settle},
};

const SECOND: Duration = Duration::from_secs(1);

cells! {
    a_client_beyond_its_quota_gets_retry_after_ms_and_is_handled_then,
}

fn refused<T>() -> Result<T, String> {
    Err("TOO_MANY_REQUESTS".to_owned())
}

async fn a_client_beyond_its_quota_gets_retry_after_ms_and_is_handled_then<P: Position>() {
    let script = Script::new([]);
    let app = serve::<P, _, _>(&script, QuotaLayer::per_client(Quota::new(2, SECOND)));
    let (mut ann, mut bob) = (connect(&app).await, connect(&app).await);
    let start = Instant::now();
    for _ in 0..2 {
        assert!(ask(&mut ann, "word").await.is_ok());
    }
    let id = begin(&mut ann, "part.it", "word").await;
    let refusal = ann.answer(&id).await.unwrap_err();
    assert_eq!(refusal.code(), "TOO_MANY_REQUESTS");
    assert_eq!(refusal.0["retryAfterMs"], 500);
    assert_eq!(passed(start, 0), 0);
    assert_eq!(script.begun(), 2);
    // One client's usage does not affect the other's quota.
    assert!(ask(&mut bob, "word").await.is_ok());

    tokio::time::sleep(Duration::from_millis(499)).await;
    assert_eq!(ask(&mut ann, "word").await, refused());
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(ask(&mut ann, "word").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn routes_of_one_router_share_its_quota() {
    let script = Script::new([]);
    let app = serve::<OutsideFanout, _, _>(&script, QuotaLayer::per_client(Quota::new(1, SECOND)));
    let mut client = connect(&app).await;
    assert!(ask(&mut client, "word").await.is_ok());
    let also = begin(&mut client, "part.also", "word").await;
    assert_eq!(
        client.answer(&also).await.unwrap_err().code(),
        "TOO_MANY_REQUESTS"
    );
    let apart = begin(&mut client, "apart", "word").await;
    assert!(client.answer(&apart).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_quota_by_route_is_shared_by_all_clients() {
    let script = Script::new([]);
    let app = serve::<WholeApp, _, _>(&script, QuotaLayer::per_route(Quota::new(1, SECOND)));
    let (mut ann, mut bob) = (connect(&app).await, connect(&app).await);
    assert!(ask(&mut ann, "word").await.is_ok());
    assert_eq!(ask(&mut bob, "word").await, refused());
    let apart = begin(&mut bob, "apart", "word").await;
    assert!(bob.answer(&apart).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_quota_by_client_and_route_is_not_shared() {
    let script = Script::new([]);
    let app = serve::<WholeApp, _, _>(&script, QuotaLayer::per_client_and_route(Quota::new(1, SECOND)));
    let (mut ann, mut bob) = (connect(&app).await, connect(&app).await);
    for client in [&mut ann, &mut bob] {
        assert!(ask(client, "word").await.is_ok());
        assert_eq!(ask(client, "word").await, refused());
        let apart = begin(client, "apart", "word").await;
        assert!(client.answer(&apart).await.is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn a_custom_key_is_computed_from_the_message() {
    let script = Script::new([]);
    let by_module = QuotaLayer::by(Quota::new(1, SECOND), |parts| parts.route().starts_with("part."));
    let app = serve::<WholeApp, _, _>(&script, by_module);
    let mut client = connect(&app).await;
    assert!(ask(&mut client, "word").await.is_ok());
    let apart = begin(&mut client, "apart", "word").await;
    assert!(client.answer(&apart).await.is_ok());
    assert_eq!(ask(&mut client, "word").await, refused());
}

#[tokio::test(start_paused = true)]
async fn the_connections_of_an_address_share_its_quota() {
    let script = Script::new([]);
    let find = |connection: &Connection| connection.extensions().get::<IpAddr>().copied();
    let app = serve::<WholeApp, _, _>(&script, QuotaLayer::per_address(Quota::new(1, SECOND), find));
    let at = |address: &str| {
        let address: IpAddr = address.parse().unwrap();
        let tell = move |mut request: http::Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(address);
            request
        };
        ServiceBuilder::new()
            .layer(MapRequestLayer::new(tell))
            .service(app.clone())
    };
    let (here, there) = (at("192.0.2.1"), at("192.0.2.2"));
    let (mut ann, mut bob, mut cat) = (connect(&here).await, connect(&here).await, connect(&there).await);
    assert!(ask(&mut ann, "word").await.is_ok());
    assert_eq!(ask(&mut bob, "word").await, refused());
    assert!(ask(&mut cat, "word").await.is_ok());
    // Clients without a known address share one quota, too.
    assert!(ask(&mut connect(&app).await, "word").await.is_ok());
    assert_eq!(ask(&mut connect(&app).await, "word").await, refused());
}

#[tokio::test]
async fn the_peer_address_comes_from_axums_connect_info() {
    let find = |connection: &Connection| {
        let ConnectInfo(address) = connection.extensions().get::<ConnectInfo<SocketAddr>>().unwrap();
        assert!(address.ip().is_loopback());
        Some(address.ip())
    };
    let hour = Duration::from_secs(3600);
    let zo = zocket::Zocket::builder()
        .on_connect(async |_: NoHeaders, _: zocket::ClientId| Ok(()))
        .layer(QuotaLayer::per_address(Quota::new(1, hour), find))
        .build();
    let echo = zo.message().handle(async |_: zocket::Context<()>| Ok("here"));
    let app = axum::Router::<()>::new().route_service("/", zo.serve(zo.router().incoming("echo", echo)));
    let server = common::listen(async move |listener| {
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        axum::serve(listener, app).await.unwrap();
    })
    .await;
    let (mut ann, mut bob) = (server.connect("").await, server.connect("").await);
    assert!(ann.call("echo", serde_json::Value::Null).await.is_ok());
    let refusal = bob.call("echo", serde_json::Value::Null).await.unwrap_err();
    assert_eq!(refusal.code(), "TOO_MANY_REQUESTS");
    let wait = refusal.0["retryAfterMs"].as_u64().unwrap();
    assert!((3_500_000..=3_600_000).contains(&wait), "{wait}");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_holds_no_permit_of_an_inner_limit() {
    let script = Script::new([]);
    let layer = ServiceBuilder::new()
        .layer(QuotaLayer::per_client(Quota::new(1, SECOND)))
        .layer(GlobalConcurrencyLimitLayer::new(1));
    let app = serve::<WholeApp, _, _>(&script, layer.into_inner());
    let (mut ann, mut bob) = (connect(&app).await, connect(&app).await);
    assert!(ask(&mut ann, "word").await.is_ok());
    assert_eq!(ask(&mut ann, "word").await, refused());
    settle().await;
    assert!(ask(&mut bob, "word").await.is_ok());
}
