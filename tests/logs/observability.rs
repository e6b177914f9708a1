//! Observability of an app: spans in the log, and metrics.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    sync::Arc,
};

use crate::common::{serve, until};
use garde::Validate;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Semaphore;
use tracing_subscriber::fmt::format::FmtSpan;
use zocket::{
    ClientId, Context, Error, NoHeaders, Zocket,
    layers::{MetricsLayer, TraceLayer},
};

#[derive(Deserialize, JsonSchema, Validate)]
struct Post {
    #[garde(length(chars, min = 1))]
    text: String,
}

type Gate = Arc<Semaphore>;

async fn post(cx: Context<Gate>, input: Post) -> Result<usize, Error> {
    tracing::info!("posted");
    cx.rooms().join("lobby")?;
    Ok(input.text.len())
}

async fn slow(cx: Context<Gate>) -> Result<(), Error> {
    if let Ok(permit) = cx.acquire().await {
        permit.forget();
    }
    Ok(())
}

/// Sums of the recorded values: each snapshot takes the values that it returns.
pub(super) struct Recorded(pub(super) Snapshotter, pub(super) BTreeMap<String, f64>);

impl Recorded {
    /// Returns the value of a counter or gauge, or the number of a histogram's values.
    pub(super) fn get(&mut self, name: &str) -> f64 {
        for (key, _, _, value) in self.0.snapshot().into_vec() {
            let labels = key.key().labels();
            let labels: Vec<_> = labels
                .map(|label| format!("{}={}", label.key(), label.value()))
                .collect();
            let name = match labels.as_slice() {
                [] => key.key().name().to_owned(),
                labels => format!("{}{{{}}}", key.key().name(), labels.join(",")),
            };
            *self.1.entry(name).or_default() += match value {
                DebugValue::Counter(count) => count as f64,
                DebugValue::Gauge(change) => change.into_inner(),
                DebugValue::Histogram(values) => values.len() as f64,
            };
        }
        self.1.get(name).copied().unwrap_or_default()
    }

    async fn until(&mut self, name: &str, value: f64) {
        until(|| self.get(name) == value).await;
    }
}

#[derive(Clone, Default)]
pub(super) struct Log(pub(super) Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn an_app_records_messages_in_spans_and_state_in_metrics() {
    let recorder = DebuggingRecorder::new();
    let mut recorded = Recorded(recorder.snapshotter(), BTreeMap::new());
    // The server's tasks run on this thread, too.
    let _recording = metrics::set_default_local_recorder(&recorder);
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_span_events(FmtSpan::CLOSE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _logging = tracing::subscriber::set_default(subscriber);

    let gate = Gate::new(Semaphore::new(0));
    let zo = Zocket::builder()
        .on_connect_with(gate.clone(), async |gate: Gate, _: NoHeaders, _: ClientId| {
            Ok(gate)
        })
        .layer(TraceLayer::new())
        .layer(MetricsLayer::new())
        .build();
    let router = zo
        .router()
        .incoming("chat.post", zo.message().input::<Post>().handle(post))
        .incoming("slow", zo.message().handle(slow));
    let server = serve(zo.serve(router)).await;

    let mut client = server.connect("").await;
    assert_eq!(recorded.get("zocket_connections"), 1.0);
    assert_eq!(recorded.get("zocket_connections_total"), 1.0);

    let secret = json!({ "text": "a secret" });
    client.call("chat.post", secret).await.unwrap();
    client.call("chat.post", json!({ "text": "" })).await.unwrap_err();
    client.call("nonsense.1", json!("a secret")).await.unwrap_err();
    client.call("nonsense.2", json!("a secret")).await.unwrap_err();
    for (name, value) in [
        ("zocket_messages_total{route=chat.post,outcome=ok}", 1.0),
        ("zocket_messages_total{route=chat.post,outcome=BAD_REQUEST}", 1.0),
        ("zocket_messages_total{route=unknown,outcome=NOT_FOUND}", 2.0),
        ("zocket_message_duration_seconds{route=chat.post}", 2.0),
        ("zocket_message_payload_bytes{route=chat.post}", 2.0),
        ("zocket_message_answer_bytes{route=chat.post}", 1.0),
        ("zocket_messages_refused_total{code=BAD_REQUEST}", 1.0),
        ("zocket_rooms", 1.0),
    ] {
        assert_eq!(recorded.get(name), value, "{name}: {:?}", recorded.1);
    }
    assert!(recorded.1.keys().all(|name| !name.contains("nonsense")));

    // One message is being handled, and two are queued.
    for _ in 0..3 {
        client.begin("slow", json!(null)).await;
    }
    recorded.until("zocket_queued_messages", 2.0).await;
    assert_eq!(recorded.get("zocket_in_flight_messages"), 1.0);
    gate.add_permits(1);
    recorded.until("zocket_queued_messages", 1.0).await;
    // The client disconnects. Messages read before are still handled.
    drop(client);
    gate.add_permits(2);
    for gauge in [
        "zocket_connections",
        "zocket_queued_messages",
        "zocket_in_flight_messages",
        "zocket_outbound_bytes",
        "zocket_rooms",
    ] {
        recorded.until(gauge, 0.0).await;
    }
    let name = "zocket_messages_total{route=slow,outcome=ok}";
    assert_eq!(recorded.get(name), 3.0);

    let log = String::from_utf8(log.0.lock().clone()).unwrap();
    let line = |parts: &[&str]| {
        let found = log
            .lines()
            .any(|line| parts.iter().all(|part| line.contains(part)));
        assert!(found, "{parts:?} in\n{log}");
    };
    // Events logged by the handler are in the message's span.
    line(&["message{route=chat.post client=", "rpc_id=\"id-1\"", ": posted"]);
    line(&["rpc_id=\"id-1\"", "outcome=\"ok\"", "latency=", "close"]);
    line(&["rpc_id=\"id-2\"", "outcome=\"BAD_REQUEST\"", "close"]);
    line(&["route=nonsense.1", "outcome=\"NOT_FOUND\"", "close"]);
    assert!(!log.contains("a secret"), "{log}");
    // A refused message is one line.
    for code in ["BAD_REQUEST", "nonsense.1"] {
        let lines: Vec<_> = log.lines().filter(|line| line.contains(code)).collect();
        assert_eq!(lines.len(), 1, "{lines:#?}");
    }
}

#[tokio::test]
async fn without_a_trace_layer_a_refused_message_is_one_line_at_debug() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    let zo = Zocket::builder().build();
    let fails = async |_: Context| Err::<(), _>(Error::internal("the database is gone"));
    let server = serve(zo.serve(zo.router().incoming("fails", zo.message().handle(fails)))).await;
    let mut client = server.connect("").await;
    client.call("nonsense", json!("a secret")).await.unwrap_err();
    client.call("fails", json!(null)).await.unwrap_err();
    let log = String::from_utf8(log.0.lock().clone()).unwrap();
    let lines = |part: &str| log.lines().filter(|line| line.contains(part)).collect::<Vec<_>>();
    let refused = lines("NOT_FOUND");
    assert!(
        matches!(refused.as_slice(), [line] if line.contains("DEBUG") && line.contains("route=\"nonsense\" client=")),
        "{log}"
    );
    // A failure of the server's own is an error with its details, whatever the level.
    let failed = lines(" ERROR ");
    assert!(
        matches!(failed.as_slice(), [line] if line.contains("the database is gone")),
        "{log}"
    );
    assert!(!log.contains("a secret"), "{log}");
}
