//! The chat with short limits and with its gauges at `/gauges`, as the tests in browsers need it. Times are in
//! milliseconds: `RESUME_WITHIN=3000 PING_AFTER=300 PONG_WITHIN=500`. The others are the defaults. SIGTERM restarts it:
//! connections are closed with 1012.

#![allow(clippy::unwrap_used, reason = "what fails here is a test")]

#[path = "../../examples/chat/rooms.rs"]
mod rooms;

use std::{collections::BTreeMap, env, sync::Arc, time::Duration};

use axum::{Router, response::Html, routing::get};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use parking_lot::Mutex;
use tokio::signal::unix::{SignalKind, signal};
use zocket::{Limits, Shutdown, server};

fn duration(name: &str, otherwise: Duration) -> Duration {
    env::var(name).map_or(otherwise, |millis| Duration::from_millis(millis.parse().unwrap()))
}

#[tokio::main]
async fn main() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    recorder.install().unwrap();
    // A snapshot has the changes since the one before.
    let gauges = Mutex::new(BTreeMap::<String, f64>::new());
    let gauges = Arc::new(move || {
        let mut gauges = gauges.lock();
        for (key, _, _, value) in snapshotter.snapshot().into_vec() {
            if let DebugValue::Gauge(change) = value {
                *gauges.entry(key.key().name().to_owned()).or_default() += change.into_inner();
            }
        }
        serde_json::to_string(&*gauges).unwrap()
    });

    let limits = Limits::default();
    let (resume_within, ping_after, pong_within) = (
        duration("RESUME_WITHIN", limits.resume_within),
        duration("PING_AFTER", limits.ping_after),
        duration("PONG_WITHIN", limits.pong_within),
    );
    let limits = limits
        .resume_within(resume_within)
        .ping_after(ping_after)
        .pong_within(pong_within);
    let zo = rooms::app(limits);
    let router = rooms::router(&zo);
    let pages = Router::new()
        .route("/", get(async || Html("<!doctype html><title>Test</title>")))
        .route("/gauges", get(async move || gauges()))
        .route_service("/zocket.js", router.contract().client_files())
        .route_service("/ws", zo.serve(router));

    let listener = server::listen(&env::var("ADDR").unwrap()).await.unwrap();
    eprintln!("listening on http://{}", listener.local_addr().unwrap());
    let mut terminate = signal(SignalKind::terminate()).unwrap();
    let asked = async move { _ = terminate.recv().await };
    server::serve_until(listener, pages, asked).await;
    zo.shutdown(Shutdown::within(Duration::from_secs(5)).restart())
        .await;
}
