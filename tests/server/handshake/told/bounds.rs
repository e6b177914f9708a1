//! Bounds of the WebSockets of refused handshakes: in number, in time, during a shutdown, and in what they read.

use common::{
    raw::{CLOSE, FIN, Raw, TEXT, frame, head},
    serve_by, until,
};
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    time::Instant,
};
use zocket::{AppLimits, Shutdown};

use super::*;

/// Opens a WebSocket that is refused, and reads up to its Close. Does not close.
async fn left_open(server: &Server) -> Raw {
    let mut raw = server.dial().await;
    raw.write(unauthorized().as_bytes()).await;
    let answer = raw.read_http().await;
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    assert!(raw.read_text().await.starts_with(r#"{"type":"__error""#));
    raw.closed().await;
    raw
}

/// Opens a connection over a pipe, so that tokio's clock can be paused, and writes a request that is refused with 401.
async fn in_memory(service: &UpgradeService) -> DuplexStream {
    let (mut near, far) = tokio::io::duplex(1 << 16);
    let service = TowerToHyperService::new(service.clone());
    tokio::spawn(async move {
        let serving = http1::Builder::new().serve_connection(TokioIo::new(far), service);
        let _ = serving.with_upgrades().await;
    });
    near.write_all(unauthorized().as_bytes()).await.unwrap();
    near
}

/// Reads to the end of a connection. Returns what came, and the time that it took.
async fn read_to_end(near: &mut DuplexStream) -> (Vec<u8>, Duration) {
    let (begun, mut came) = (Instant::now(), Vec::new());
    let _ = near.read_to_end(&mut came).await;
    (came, begun.elapsed())
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Reads up to the Close, whose reason is the last that the server writes.
async fn read_to_close(near: &mut DuplexStream) {
    let mut came = Vec::new();
    while !came.ends_with(b"UNAUTHORIZED") {
        came.push(near.read_u8().await.unwrap());
    }
}

async fn status(near: &mut DuplexStream) -> u16 {
    let mut status = [0; 12];
    near.read_exact(&mut status).await.unwrap();
    std::str::from_utf8(&status[9..]).unwrap().parse().unwrap()
}

#[tokio::test]
async fn an_app_may_have_fewer_of_them_or_none() {
    for refusals in [0, 1] {
        let zo = Zocket::builder()
            .on_connect_with(World::new(), connect)
            .app_limits(AppLimits::default().refusals(refusals))
            .build();
        let service = zo.serve(zo.router());
        let mut open = Vec::new();
        for _ in 0..refusals {
            open.push(in_memory(&service).await);
            assert_eq!(status(open.last_mut().unwrap()).await, 101);
        }
        assert_eq!(status(&mut in_memory(&service).await).await, 401);
    }
}

#[tokio::test(start_paused = true)]
async fn beyond_256_of_them_clients_get_the_http_status() {
    let (_zo, service) = refusing(&World::new());
    let begun = Instant::now();
    let mut open = Vec::new();
    for _ in 0..256 {
        let mut near = in_memory(&service).await;
        assert_eq!(status(&mut near).await, 101);
        read_to_close(&mut near).await;
        open.push(near);
    }
    assert_eq!(status(&mut in_memory(&service).await).await, 401);
    // One that ends makes room for one more.
    let mut first = open.swap_remove(0);
    let close = frame(FIN | CLOSE, &3601_u16.to_be_bytes());
    first.write_all(&close).await.unwrap();
    read_to_end(&mut first).await;
    drop(first);
    let mut next = in_memory(&service).await;
    assert_eq!(status(&mut next).await, 101);
    assert_eq!(status(&mut in_memory(&service).await).await, 401);
    assert_eq!(begun.elapsed(), Duration::ZERO, "no time has passed");
}

#[tokio::test(start_paused = true)]
async fn a_refused_client_that_never_closes_is_dropped_after_2_s() {
    let (_zo, service) = refusing(&World::new());
    let mut near = in_memory(&service).await;
    let (came, after) = read_to_end(&mut near).await;
    assert!(contains(&came, b"__error") && contains(&came, b"UNAUTHORIZED"));
    assert_eq!(after.as_millis() / 10, 200);
}

#[tokio::test(start_paused = true)]
async fn a_refused_client_that_never_reads_is_dropped_after_2_s() {
    let world = World::new();
    let (zo, service) = refusing(&world);
    // The pipe holds no more than a part of the response.
    let (mut near, far) = tokio::io::duplex(8);
    let serving = TowerToHyperService::new(service.clone());
    tokio::spawn(async move {
        let serving = http1::Builder::new().serve_connection(TokioIo::new(far), serving);
        let _ = serving.with_upgrades().await;
    });
    near.write_all(unauthorized().as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    // All 256 places are free again.
    let mut others = Vec::new();
    for _ in 0..256 {
        others.push(in_memory(&service).await);
    }
    for other in &mut others {
        assert_eq!(status(other).await, 101);
    }
    assert_eq!(zo.connections(), 0);
}

#[tokio::test]
async fn messages_of_a_refused_client_are_not_handled() {
    let world = World::new();
    let server = serve_by(refusing(&world).1, http1::Builder::new()).await;
    let count = frame(FIN | TEXT, br#"{"type":"count","rpcId":1}"#);
    let large = frame(FIN | TEXT, &[b'x'; 70_000]);
    let endless = head(FIN | TEXT, 1 << 40);
    for messages in [count.clone(), [&*count, &*large, &*count].concat(), endless] {
        let mut raw = server.dial().await;
        // The messages come with the request, and again after the Close.
        raw.write(&[unauthorized().as_bytes(), &messages].concat()).await;
        assert!(raw.read_http().await.starts_with("HTTP/1.1 101 "));
        assert!(raw.read_text().await.contains("UNAUTHORIZED"));
        assert_eq!(raw.closed().await.0, 3601);
        let _ = raw.try_write(&messages).await;
        raw.hung_up().await;
    }
    assert_eq!(world.messages.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_server_that_shuts_down_tells_it_and_does_not_wait() {
    let world = World::new();
    let (zo, service) = refusing(&world);
    let server = serve(service).await;
    let open = left_open(&server).await;
    // A client whose `on_connect` is under way holds the shutdown up, and is refused by its own error.
    let waiting = tokio::spawn({
        let (addr, path) = (server.addr, server.path);
        async move {
            let server = format!("ws://{addr}{path}?code=WAIT");
            let mut request =
                tokio_tungstenite::tungstenite::client::IntoClientRequest::into_client_request(server)
                    .unwrap();
            request.headers_mut().insert(OFFER.0, OFFER.1.parse().unwrap());
            let (socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
            common::Client::new(socket).closed().await
        }
    });
    until(|| world.runs.load(Ordering::SeqCst) == 2).await;
    let shutdown = tokio::spawn({
        let zo = zo.clone();
        async move { zo.shutdown(Shutdown::within(PATIENCE)).await }
    });
    // The app drains once a new client is told so.
    let (error, closed) = loop {
        let (error, closed) = told(&server, "code=CONFLICT", &[]).await;
        if closed.0 != 3609 {
            break (error, closed);
        }
    };
    assert_eq!(closed, (3203, "OVERLOADED".to_owned()));
    assert_eq!(
        error,
        json!({ "code": "OVERLOADED", "message": "the server is shutting down", "retryAfterMs": 1_000 })
    );
    let late = left_open(&server).await;
    world.gate.add_permits(1);
    assert_eq!(waiting.await.unwrap(), (3601, "UNAUTHORIZED".to_owned()));
    assert_eq!(shutdown.await.unwrap(), 0);
    assert_eq!(zo.connections(), 0);
    drop((open, late));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_grace_period_drops_refused_sockets() {
    let world = World::new();
    let (zo, service) = refusing(&world);
    let mut near = in_memory(&service).await;
    let begun = Instant::now();
    assert_eq!(status(&mut near).await, 101);
    // This call of `on_connect` outlasts the grace period.
    let (mut stuck, far) = tokio::io::duplex(1 << 16);
    let serving = TowerToHyperService::new(service.clone());
    tokio::spawn(
        http1::Builder::new()
            .serve_connection(TokioIo::new(far), serving)
            .with_upgrades(),
    );
    let wait = unauthorized().replacen("UNAUTHORIZED", "WAIT", 1);
    stuck.write_all(wait.as_bytes()).await.unwrap();
    until(|| world.runs.load(Ordering::SeqCst) == 2).await;
    let grace = Duration::from_millis(500);
    let (cut, (came, _)) = tokio::join!(zo.shutdown(grace), read_to_end(&mut near));
    assert_eq!(cut, 1);
    assert!(contains(&came, b"UNAUTHORIZED"));
    let took = begun.elapsed();
    assert!(took >= grace && took < Duration::from_secs(1), "{took:?}");
    // From then on there is only the status.
    assert_eq!(status(&mut in_memory(&service).await).await, 503);
}
