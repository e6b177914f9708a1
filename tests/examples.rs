//! The examples as programs, used like their users would. `cargo build --examples --all-features` comes first.

#![allow(clippy::unwrap_used, reason = "these are tests, and their helpers")]

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures_util::{SinkExt, StreamExt};
use hyper::StatusCode;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_tungstenite::{connect_async, tungstenite::Message};
use zocket::{
    Code, Outgoing,
    client::{CallError, Client, Outage},
};

#[path = "examples/cluster.rs"]
mod cluster;
#[path = "examples/process.rs"]
mod process;
#[cfg(unix)]
#[path = "examples/signals.rs"]
mod signals;

use self::process::Example;

const PATIENCE: Duration = Duration::from_secs(20);

fn code(error: &CallError) -> &str {
    &error.refusal().expect("a refusal").code
}

#[tokio::test]
async fn axum_identifies_users_by_cookie_and_sends_events_from_an_http_handler() {
    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Ordered {
        number: u32,
    }
    impl Outgoing for Ordered {
        const TYPE: &'static str = "orders.new";
    }
    let example = Example::start("axum").await;
    let url = format!("ws://{}/ws", example.addr);
    let stranger = Client::builder(&url).connect().await.unwrap_err();
    assert!(
        matches!(stranger, Outage::Refused { status: 401, .. }),
        "{stranger}"
    );

    let answer = example.request("POST", "/login/Ann").await;
    assert!(answer.headers().contains_key("x-request-id"));
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    let cookie = json!({ "cookie": cookie.split(';').next().unwrap() });
    let client = Client::builder(&url)
        .headers(&cookie)
        .unwrap()
        .connect()
        .await
        .unwrap();
    assert_eq!(client.call_route::<String>("whoami", &()).await.unwrap(), "Ann");
    let mut orders = client.on::<Ordered>();
    assert_eq!(
        example.request("POST", "/orders/7").await.status(),
        StatusCode::CREATED
    );
    let order = timeout(PATIENCE, orders.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(order.number, 7);
}

#[tokio::test]
async fn every_server_reads_heads_of_15_kib_and_refuses_larger_ones() {
    for name in [
        "auth",
        "axum",
        "bench_server",
        "echo",
        "hyper",
        "layers",
        "tower_middleware",
    ] {
        let example = Example::start(name).await;
        for (length, is_refused) in [(15 << 10, false), (20 << 10, true), (64 << 10, true)] {
            let mut stream = TcpStream::connect(&example.addr).await.unwrap();
            let head = format!(
                "GET / HTTP/1.1\r\nHost: a\r\nX-Fill: {}\r\n\r\n",
                "x".repeat(length)
            );
            // The server may answer and hang up before it has read everything.
            let _ = stream.write_all(head.as_bytes()).await;
            let mut status = [0; 12];
            let reading = stream.read_exact(&mut status);
            timeout(PATIENCE, reading).await.expect("no answer").unwrap();
            assert_eq!(&status == b"HTTP/1.1 431", is_refused, "{name}: {length}");
        }
    }
}

#[tokio::test]
async fn layers_serves_its_custom_stack() {
    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Greeted(String);

    impl Outgoing for Greeted {
        const TYPE: &'static str = "greeted";
    }

    let example = Example::start("layers").await;
    let client = example.connect("/?name=Ann").await;
    assert_eq!(client.contract(), None, "a stack has no contract");
    let mut greeted = client.on::<Greeted>();
    let length: usize = client
        .call_route("greet", &json!({ "greeting": "hello" }))
        .await
        .unwrap();
    assert_eq!(length, 5);
    assert_eq!(greeted.next().await.unwrap().unwrap().0, "hello, Ann");
    let refused = client
        .call_route::<usize>("greet", &json!({ "greeting": "" }))
        .await
        .unwrap_err();
    assert!(
        refused
            .refusal()
            .is_some_and(|refusal| refusal.is(Code::BAD_REQUEST))
    );
}

#[tokio::test]
async fn echo_returns_text_and_binary_unchanged() {
    let example = Example::start("echo").await;
    let (mut stream, _) = connect_async(format!("ws://{}", example.addr)).await.unwrap();
    for message in [
        Message::text("no JSON"),
        Message::text(r#"{"type":"a","rpcId":1}"#),
        Message::text(""),
        Message::binary(vec![0xff; 70_000]),
        Message::binary(vec![]),
    ] {
        stream.send(message.clone()).await.unwrap();
        assert_eq!(stream.next().await.unwrap().unwrap(), message);
    }
}

#[tokio::test]
async fn tower_middleware_applies_a_different_limit_to_each_route() {
    let example = Example::start("tower_middleware").await;
    let client = example.connect("/").await;
    let work = async |route: &str, millis: u64| {
        client
            .call_route::<u64>(route, &json!({ "millis": millis }))
            .await
    };
    assert_eq!(work("quick", 1).await.unwrap(), 1);
    assert_eq!(code(&work("quick", 5_000).await.unwrap_err()), "TIMEOUT");
    let both = futures_util::future::join(work("exclusive", 1_000), work("exclusive", 1_001)).await;
    let refused: Vec<_> = [&both.0, &both.1]
        .into_iter()
        .filter_map(|result| result.as_ref().err())
        .collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(code(refused[0]), "OVERLOADED");
    let ten = (0..10).map(|_| work("pooled", 10));
    assert!(
        futures_util::future::join_all(ten)
            .await
            .iter()
            .all(Result::is_ok)
    );
    assert_eq!(code(&work("shop.buy", 1).await.unwrap_err()), "FORBIDDEN");
    for _ in 0..5 {
        assert_eq!(work("guess", 1).await.unwrap(), 1);
    }
    let enough = work("guess", 1).await.unwrap_err();
    assert_eq!(code(&enough), "TOO_MANY_REQUESTS");
    let wait = enough.refusal().unwrap().retry_after.unwrap();
    assert!(
        wait > Duration::ZERO && wait <= Duration::from_secs(60),
        "{wait:?}"
    );
}

#[tokio::test]
async fn auth_accepts_a_token_or_cookie_and_closes_when_the_token_expires() {
    let example = Example::start("auth").await;
    let url = format!("ws://{}/", example.addr);
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let token = |name: &str, seconds: u64| format!("{name}.{}", now() + seconds);
    let connect =
        async |headers: serde_json::Value| Client::builder(&url).headers(&headers).unwrap().connect().await;
    let status = async |headers| match connect(headers).await {
        Err(Outage::Refused { status, .. }) => status,
        other => panic!("{other:?}"),
    };
    assert_eq!(status(json!({ "token": "nonsense" })).await, 401);
    assert_eq!(status(json!({ "token": "Ann.1" })).await, 401);
    let cookie = format!("token={}", token("Ann", 60));
    assert_eq!(
        status(json!({ "cookie": cookie, "origin": "http://evil.example" })).await,
        403
    );
    let origin = format!("http://{}", example.addr);
    assert_eq!(status(json!({ "origin": origin })).await, 401);

    let ours = json!({ "cookie": cookie, "origin": origin });
    let ann = connect(ours).await.unwrap();
    assert_eq!(ann.call_route::<String>("whoami", &()).await.unwrap(), "Ann");

    let bob = connect(json!({ "token": token("Bob", 10) })).await.unwrap();
    let theirs = json!({ "token": token("Ann", 60) });
    let refusal = bob.call_route::<()>("auth.refresh", &theirs).await.unwrap_err();
    assert!(refusal.refusal().unwrap().is(Code::FORBIDDEN));
    let expires = now() + 12;
    let refreshed = json!({ "token": format!("Bob.{expires}") });
    bob.call_route::<()>("auth.refresh", &refreshed).await.unwrap();
    let outage = {
        let mut statuses = bob.statuses();
        let closed = statuses.wait_for(zocket::client::Status::is_closed);
        timeout(PATIENCE, closed).await.unwrap().unwrap().clone()
    };
    assert!(format!("{outage:?}").contains("token-expired"), "{outage:?}");
    assert!(now() >= expires);
}

#[tokio::test]
async fn tls_serves_clients_that_trust_its_certificate() {
    let example = Example::start("tls").await;
    let pem = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("tls/target/localhost.pem");
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(pem).unwrap()).unwrap();
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let url = format!("wss://{}", example.addr);
    let client = Client::builder(url).tls(Arc::new(tls)).connect().await.unwrap();
    assert_eq!(client.call_route::<String>("ping", &()).await.unwrap(), "pong");
}

#[tokio::test]
async fn bench_server_serves_the_benchmark_routes() {
    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "camelCase")]
    struct Said {
        room_id: String,
        text: String,
        from: String,
    }
    impl Outgoing for Said {
        const TYPE: &'static str = "room.said";
    }
    let example = Example::start("bench_server").await;
    let url = format!("ws://{}/", example.addr);
    let nobody = Client::builder(&url).connect().await.unwrap_err();
    assert!(matches!(nobody, Outage::Refused { status: 400, .. }), "{nobody}");
    let user = json!({ "user": "ann" });
    let client = Client::builder(&url)
        .headers(&user)
        .unwrap()
        .connect()
        .await
        .unwrap();
    let input = json!({ "text": "x".repeat(65_536), "n": -7 });
    let output: serde_json::Value = client.call_route("echo", &input).await.unwrap();
    assert_eq!(output, input);
    let too_long = json!({ "text": "x".repeat(65_537), "n": 1.5 });
    let refusal = client
        .call_route::<serde_json::Value>("echo", &too_long)
        .await
        .unwrap_err();
    assert_eq!(code(&refusal), "BAD_REQUEST");
    let mut said = client.on::<Said>();
    let room = json!({ "roomId": "r" });
    client.call_route::<()>("room.join", &room).await.unwrap();
    client
        .call_route::<()>("room.say", &json!({ "roomId": "r", "text": "hi" }))
        .await
        .unwrap();
    let said = timeout(PATIENCE, said.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(
        (said.room_id.as_str(), said.text.as_str(), said.from.as_str()),
        ("r", "hi", "ann")
    );
    client.call_route::<()>("room.leave", &room).await.unwrap();
}

#[test]
fn the_first_app_of_the_guide_is_the_example() {
    let page = include_str!("../src/guide/first_app.md");
    for (block, file) in [
        ("rust,ignore", include_str!("../examples/first_app/main.rs")),
        ("html", include_str!("../examples/first_app/index.html")),
    ] {
        assert!(
            page.contains(&format!("```{block}\n{file}```\n")),
            "the block `{block}` of the page is not the file of examples/first_app:\n{file}"
        );
    }
}
