//! Observability of a client's calls: their spans in the log, and their metrics.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as a test may")]

use std::collections::BTreeMap;

use garde::Validate;
use metrics_util::debugging::DebuggingRecorder;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tower::{Service, ServiceBuilder, ServiceExt};
use tracing_subscriber::fmt::format::FmtSpan;
use zocket::{
    Code, Context, Error, Incoming, Zocket,
    client::{CallError, Client},
    layers::{MetricsLayer, TraceLayer},
};

use super::observability::{Log, Recorded};
use crate::common::serve;

const OUTBID: Code = Code::app("OUTBID");

#[derive(Clone, Serialize, Deserialize, JsonSchema, Validate)]
struct Bid {
    #[garde(range(min = 1))]
    cents: u64,
}

impl Incoming for Bid {
    const TYPE: &'static str = "lot.bid";
    type Answer = u64;
}

/// Calls through layers around a client's service: a bid that is accepted, one that is refused, one that is invalid, and
/// one after the client is closed.
pub(super) async fn bid() {
    let zo = Zocket::builder().build();
    let bid = async |_: Context, bid: Bid| match bid.cents {
        4321 => Err(Error::new(OUTBID, "too low")),
        cents => Ok(cents),
    };
    let handle = zo.message().declare_code(OUTBID).handle(bid);
    let server = serve(zo.serve(zo.router().receive::<Bid>(handle))).await;
    let client = Client::builder(server.url("")).connect().await.unwrap();
    let mut bids = ServiceBuilder::new()
        .layer(TraceLayer::new().calls::<CallError>())
        .layer(MetricsLayer::new().calls::<CallError>().codes([OUTBID]))
        .service(client.service::<Bid>());
    for cents in [1234, 4321, 0] {
        let answer = bids.ready().await.unwrap().call(Bid { cents }).await;
        assert_eq!(answer.is_ok(), cents == 1234);
    }
    bids.ready().await.unwrap();
    client.close().await;
    let error = bids.call(Bid { cents: 1 }).await.unwrap_err();
    assert!(error.is::<CallError>(), "{error}");
}

#[tokio::test]
async fn calls_of_a_client_are_recorded_in_spans_and_in_metrics() {
    let recorder = DebuggingRecorder::new();
    let mut recorded = Recorded(recorder.snapshotter(), BTreeMap::new());
    let _recording = metrics::set_default_local_recorder(&recorder);
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_span_events(FmtSpan::CLOSE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    bid().await;
    for (name, value) in [
        ("zocket_client_calls_total{route=lot.bid,outcome=ok}", 1.0),
        ("zocket_client_calls_total{route=lot.bid,outcome=OUTBID}", 1.0),
        (
            "zocket_client_calls_total{route=lot.bid,outcome=BAD_REQUEST}",
            1.0,
        ),
        ("zocket_client_calls_total{route=lot.bid,outcome=closed}", 1.0),
        ("zocket_client_call_duration_seconds{route=lot.bid}", 4.0),
    ] {
        assert_eq!(recorded.get(name), value, "{name}: {:?}", recorded.1);
    }
    let log = String::from_utf8(log.0.lock().clone()).unwrap();
    for outcome in ["ok", "OUTBID", "BAD_REQUEST", "closed"] {
        let span = format!("call{{route=\"lot.bid\" outcome=\"{outcome}\" latency=");
        assert!(log.contains(&span), "{span} in\n{log}");
    }
    assert!(!log.contains("1234") && !log.contains("4321"), "{log}");
}
