//! The metrics that an app reports, as they are described to the recorder and as the documents list them.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as a test may")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use zocket::{
    ClientId, Context, Delivery, Error, Event, Hub, Limits, NoHeaders, Outgoing, RawPayload, Target, Zocket,
    layers::{Effect, MetricsLayer, hub::ConnectOptions},
};

use crate::{
    calls,
    common::{Client, Server, serve, until},
    documents::{Document, assert_none, files, quoted, root, words},
    nats::Nats,
};

/// Keeps which metrics are described and registered, and no values.
#[derive(Default)]
struct Metrics {
    /// Kind and unit by name.
    described: Mutex<BTreeMap<String, (&'static str, Unit)>>,
    /// Kind and labels by name. More than one for a name is a mistake.
    registered: Mutex<BTreeMap<String, BTreeSet<(&'static str, String)>>>,
}

impl Metrics {
    fn describe(&self, name: &KeyName, kind: &'static str, unit: Option<Unit>) {
        let unit = unit.expect("each metric has a unit");
        self.described
            .lock()
            .insert(name.as_str().to_owned(), (kind, unit));
    }

    fn register(&self, key: &Key, kind: &'static str) {
        let labels: Vec<_> = key.labels().map(|label| label.key().to_owned()).collect();
        let mut registered = self.registered.lock();
        let forms = registered.entry(key.name().to_owned()).or_default();
        forms.insert((kind, labels.join(", ")));
    }

    async fn until_registered(&self, name: &str) {
        until(|| self.registered.lock().contains_key(name)).await;
    }
}

impl Recorder for Metrics {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe(&name, "counter", unit);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe(&name, "gauge", unit);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe(&name, "histogram", unit);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.register(key, "counter");
        Counter::noop()
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.register(key, "gauge");
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        self.register(key, "histogram");
        Histogram::noop()
    }
}

type Gate = Arc<Semaphore>;

/// An event of 1 MiB.
#[derive(Serialize, JsonSchema)]
struct Large(String);

impl Outgoing for Large {
    const TYPE: &'static str = "large";
}

#[derive(Serialize, JsonSchema)]
struct Volatile;

impl Outgoing for Volatile {
    const TYPE: &'static str = "volatile";
    const DELIVERY: Delivery = Delivery::Volatile;
}

#[derive(Serialize, JsonSchema)]
struct Latest;

impl Outgoing for Latest {
    const TYPE: &'static str = "latest";
    const DELIVERY: Delivery = Delivery::Latest;
}

async fn join(cx: Context<Gate>) -> Result<(), Error> {
    cx.rooms().join("lobby")
}

async fn slow(cx: Context<Gate>) -> Result<(), Error> {
    cx.acquire().await.map_err(Error::internal)?.forget();
    Ok(())
}

async fn flood(cx: Context<Gate>) -> Result<(), Error> {
    for _ in 0..32 {
        cx.send(Large("x".repeat(1 << 20))).to([cx.client_id()]);
    }
    Ok(())
}

/// Connects a client that offers to resume its session. Returns it, and the token of its welcome.
async fn connect(server: &Server, offer: &str) -> (Client, String) {
    let offers = format!("zocket.v1.json, zocket.resume{offer}");
    let fields = [("sec-websocket-protocol", &*offers)];
    let mut client = server.try_connect("", &fields).await.unwrap();
    let welcome = client.event("__welcome").await;
    let token = welcome["session"].as_str().unwrap().to_owned();
    client.send(json!({"type": "__ack", "payload": 0})).await;
    (client, token)
}

/// Brings sessions into every state that an app has a metric for.
async fn resume(server: &Server, metrics: &Metrics) {
    let (mut client, token) = connect(server, "").await;
    client.call("join", json!(null)).await.unwrap();
    metrics.until_registered("zocket_record_bytes").await;
    drop(client);
    metrics.until_registered("zocket_parked_sessions").await;
    let (mut client, token) = connect(server, &format!(".{token}.1")).await;
    metrics.until_registered("zocket_sessions_resumed_total").await;
    client.call("flood", json!(null)).await.unwrap();
    metrics.until_registered("zocket_records_given_up_total").await;
    drop(client);
    let (mut client, _) = connect(server, &format!(".{token}.1")).await;
    metrics
        .until_registered("zocket_sessions_not_resumed_total")
        .await;
    let bye = CloseFrame {
        code: 1000.into(),
        reason: "bye".into(),
    };
    client.socket.close(Some(bye)).await.unwrap();
}

/// Joins a room on a node, and sends to it, with the engine and without it.
async fn cluster(metrics: &Metrics) {
    let nats = Nats::start().await;
    let (node, other) = (nats.node().await, nats.node().await);
    let client = ClientId::random();
    let mailbox = node.connect(client, &ConnectOptions::default());
    let event = Event::from_payload("said", RawPayload::json("1")).unwrap();
    let to = Target::everyone();
    drop(other.perform(None, Effect::Emit { to, event }).unwrap());
    metrics.until_registered("zocket_cluster_events_total").await;
    metrics.until_registered("zocket_cluster_nodes").await;
    drop(nats);
    until(|| !node.is_connected()).await;
    drop(node.perform(Some(&client), Effect::Join("lobby".into())).unwrap());
    metrics.until_registered("zocket_cluster_problems_total").await;
    node.disconnect(&mailbox);
}

/// Brings an app into every state that it has a metric for.
async fn drive(metrics: &Metrics) {
    let gate = Gate::new(Semaphore::new(0));
    let connect = async |gate: Gate, _: NoHeaders, _: ClientId| Ok(gate);
    // The client that does not read stays up to the end, however long the steps take.
    let limits = Limits::default()
        .message(2 << 20)
        .outbound(64 << 20)
        .write_within(Duration::MAX);
    let zo = Zocket::builder()
        .on_connect_with(gate.clone(), connect)
        .limits(limits)
        .layer(MetricsLayer::new())
        .build();
    let router = zo
        .router()
        .outgoing::<Large>()
        .outgoing::<Volatile>()
        .outgoing::<Latest>()
        .incoming("join", zo.message().handle(join))
        .incoming("slow", zo.message().handle(slow))
        .incoming("flood", zo.message().handle(flood));
    let server = serve(zo.serve(router)).await;

    // A handshake that is refused.
    let mut raw = server.dial().await;
    raw.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(raw.read_http().await.starts_with("HTTP/1.1 426 "));

    let mut client = server.connect("").await;
    client.call("join", json!(null)).await.unwrap();
    client.call("nowhere", json!(null)).await.unwrap_err();
    for _ in 0..2 {
        client.begin("slow", json!(null)).await;
    }
    metrics.until_registered("zocket_queued_messages").await;
    metrics.until_registered("zocket_in_flight_messages").await;
    gate.add_permits(2);

    // More than the kernel's buffers hold, for a client that does not read.
    let mut reader = server.connect("").await;
    reader.begin("flood", json!(null)).await;
    metrics.until_registered("zocket_outbound_bytes").await;
    zo.emitter().send(Volatile).broadcast().unwrap();
    zo.emitter().send(Latest).broadcast().unwrap();
    zo.emitter().send(Latest).broadcast().unwrap();
    metrics
        .until_registered("zocket_volatile_events_dropped_total")
        .await;
    metrics
        .until_registered("zocket_latest_events_replaced_total")
        .await;

    Box::pin(calls::bid()).await;
    Box::pin(cluster(metrics)).await;
    Box::pin(resume(&server, metrics)).await;
    until(|| zo.connections() == 2).await;

    // Without a grace period, a shutdown leaves both clients.
    assert_eq!(zo.shutdown(Duration::ZERO).await, 2);
}

/// Returns the names of metrics in the code: literals that begin with `zocket_`.
fn literals() -> BTreeMap<String, String> {
    let mut paths = Vec::new();
    files(&root().join("src"), "rs", &mut paths);
    files(&root().join("layers/src"), "rs", &mut paths);
    let mut found = BTreeMap::new();
    for path in paths {
        let source = std::fs::read_to_string(root().join(&path)).unwrap();
        for (number, line) in (1..).zip(source.lines()) {
            let strings = line.split('"').skip(1).step_by(2);
            for name in strings.filter(|text| text.starts_with("zocket_") && !text.contains(':')) {
                found.insert(name.to_owned(), format!("{path}:{number}"));
            }
        }
    }
    found
}

/// `described` is the code's list. The app has to report each of its metrics, and no other, and no document lists
/// another.
#[tokio::test]
async fn metrics_are_described_reported_and_documented_alike() {
    let metrics = Metrics::default();
    {
        // The server's tasks run in this thread as well.
        let _recording = metrics::set_default_local_recorder(&metrics);
        Box::pin(drive(&metrics)).await;
    }
    let described = metrics.described.into_inner();
    let registered = metrics.registered.into_inner();
    let list = "layers/src/metrics/describe.rs";
    let mut differences = Vec::new();
    let (mut in_guide, mut in_docs) = (BTreeMap::new(), BTreeMap::new());

    for (name, (kind, unit)) in &described {
        let forms: Vec<_> = registered.get(name).into_iter().flatten().collect();
        let [(reported, labels)] = forms.as_slice() else {
            differences.push(match forms.as_slice() {
                [] => format!("{list}: `{name}` is never reported: delete it, or have this test cause it"),
                forms => format!("{list}: `{name}` is reported in several forms: {forms:?}"),
            });
            continue;
        };
        if reported != kind {
            differences.push(format!(
                "{list}: `{name}` is a {reported} in the code, described as a {kind}"
            ));
        }
        let unit = match unit {
            Unit::Count => "count",
            unit => unit.as_str(),
        };
        in_guide.insert(name.clone(), format!("{kind} | {labels}"));
        in_docs.insert(name.clone(), format!("{kind} | {unit} | {labels}"));
    }
    for name in registered.keys().filter(|name| !described.contains_key(*name)) {
        differences.push(format!("{list}: `{name}` is reported and not described: add it"));
    }
    for (name, place) in literals() {
        if !described.contains_key(&name) {
            differences.push(format!(
                "{place}: `{name}` is not described: add it to {list}, and have this test report it"
            ));
        }
    }

    let guide = Document::read("src/guide/deploying.md");
    let guide = guide.table("| metric | kind | labels | rises with |", |cells| {
        let labels = quoted(cells[2]).join(", ");
        [(quoted(cells[0]).remove(0), format!("{} | {labels}", cells[1]))]
    });
    let docs = Document::read("layers/src/metrics/mod.rs");
    let docs = docs.table("| name | kind | unit | labels | reported by |", |cells| {
        let labels = quoted(cells[3]).join(", ");
        // Counts name what they count.
        let unit = match cells[2] {
            "seconds" | "bytes" => cells[2],
            _ => "count",
        };
        [(
            quoted(cells[0]).remove(0),
            format!("{} | {unit} | {labels}", cells[1]),
        )]
    });
    differences.extend(guide.differences(&in_guide));
    differences.extend(docs.differences(&in_docs));

    for document in Document::all() {
        for (number, line) in &document.lines {
            let is_part = |char: char| char.is_ascii_lowercase() || char == '_';
            for name in words(line, is_part) {
                let is_other = ["zocket_layers", "zocket_loom", "zocket_broken"].contains(&name);
                let is_metric = name.starts_with("zocket_") && !is_other;
                if is_metric && !described.contains_key(name) {
                    differences.push(format!(
                        "{}: there is no metric `{name}`",
                        document.place(*number)
                    ));
                }
            }
        }
    }
    assert_none(&differences);
}
