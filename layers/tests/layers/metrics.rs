//! The metrics of messages and rooms: names, labels, units.

#![allow(clippy::unwrap_used, reason = "a helper of a test may panic as a test may")]

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use zocket_layers::{
    ClientId, Code, Connection, Effect, Error, Form, Hub, Limits, LocalHub, Message, MetricsLayer,
    RawPayload, Reply, RescueLayer, hub::ConnectOptions,
};

use crate::support::failed::{Bid, Failed};

/// Runs `run` under its own recorder. Returns each metric as `name{label=value}` with its values; a histogram with
/// every value recorded.
fn recorded<F: Future<Output = ()>>(run: impl FnOnce() -> F) -> BTreeMap<String, Vec<f64>> {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    metrics::with_local_recorder(&recorder, || runtime.block_on(run()));
    let entries = snapshotter.snapshot().into_vec().into_iter();
    entries
        .map(|(key, _, _, value)| {
            let labels = key.key().labels();
            let labels: Vec<_> = labels
                .map(|label| format!("{}={}", label.key(), label.value()))
                .collect();
            let values = match value {
                DebugValue::Counter(count) => vec![count as f64],
                DebugValue::Gauge(value) => vec![value.into_inner()],
                DebugValue::Histogram(values) => values.into_iter().map(|value| value.into_inner()).collect(),
            };
            (format!("{}{{{}}}", key.key().name(), labels.join(",")), values)
        })
        .filter(|(_, values)| values.iter().any(|value| *value != 0.0))
        .collect()
}

fn message(route: &str) -> Message {
    Message::new(
        Connection::detached(()),
        route.to_owned(),
        RawPayload::json("[1,2]"),
    )
}

fn answering() -> impl Service<Message, Response = Reply, Error = BoxError> + Clone {
    MetricsLayer::new()
        .routes(["a", "b"])
        .layer(service_fn(async |message: Message| {
            tokio::time::sleep(Duration::from_millis(250)).await;
            match &**message.parts().route() {
                "b" => Err(BoxError::from(Error::forbidden("no"))),
                _ => Ok(Reply::of(&"abc")?),
            }
        }))
}

#[test]
fn messages_are_counted_by_route_and_outcome_and_measured_in_seconds_and_bytes() {
    let recorded = recorded(async || {
        answering().oneshot(message("a")).await.unwrap();
        answering().oneshot(message("a")).await.unwrap();
        answering().oneshot(message("b")).await.unwrap_err();
    });
    let expected = [
        ("zocket_message_answer_bytes{route=a}", vec![5.0, 5.0]),
        ("zocket_message_duration_seconds{route=a}", vec![0.25, 0.25]),
        ("zocket_message_duration_seconds{route=b}", vec![0.25]),
        ("zocket_message_payload_bytes{route=a}", vec![5.0, 5.0]),
        ("zocket_message_payload_bytes{route=b}", vec![5.0]),
        ("zocket_messages_total{route=a,outcome=ok}", vec![2.0]),
        ("zocket_messages_total{route=b,outcome=FORBIDDEN}", vec![1.0]),
    ];
    let expected = expected.map(|(name, values)| (name.to_owned(), values));
    assert_eq!(recorded.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn an_undeclared_route_creates_no_label() {
    let recorded = recorded(async || {
        let service = answering();
        for route in ["x", "y", "z"] {
            service.clone().oneshot(message(route)).await.unwrap();
        }
    });
    assert_eq!(recorded["zocket_messages_total{route=unknown,outcome=ok}"], [3.0]);
    assert!(
        recorded.keys().all(|name| name.contains("route=unknown")),
        "{recorded:?}"
    );
}

#[test]
fn panicked_and_dropped_messages_are_counted() {
    let recorded = recorded(async || {
        let rescue = ServiceBuilder::new().layer(RescueLayer::new());
        let layer = MetricsLayer::new().routes(["slow", "panics", "panics.at.once"]);
        let service = layer.layer(service_fn(|message: Message| {
            assert_ne!(&**message.parts().route(), "panics.at.once");
            async move {
                assert_ne!(&**message.parts().route(), "panics");
                tokio::time::sleep(Duration::from_secs(9)).await;
                Ok::<_, BoxError>(Reply::empty())
            }
        }));
        let service = rescue.timeout(Duration::from_secs(1)).service(service);
        let mut service = service;
        for route in ["slow", "panics", "panics.at.once"] {
            service.ready().await.unwrap().call(message(route)).await.unwrap();
        }
    });
    for (route, outcome) in [
        ("slow", "dropped"),
        ("panics", "INTERNAL_SERVER_ERROR"),
        ("panics.at.once", "INTERNAL_SERVER_ERROR"),
    ] {
        let name = format!("zocket_messages_total{{route={route},outcome={outcome}}}");
        assert_eq!(recorded[&name], [1.0], "{recorded:?}");
    }
    assert_eq!(recorded["zocket_messages_refused_total{code=TIMEOUT}"], [1.0]);
}

#[test]
fn a_recorder_installed_later_is_used() {
    let service = answering();
    let late = recorded(async || {
        // No recorder is installed yet.
        metrics::with_local_recorder(&metrics::NoopRecorder, || {
            let call = service.clone().oneshot(message("a"));
            futures_util::FutureExt::now_or_never(call)
        });
        tokio::time::advance(Duration::from_secs(10)).await;
        service.clone().oneshot(message("a")).await.unwrap();
    });
    assert_eq!(late["zocket_messages_total{route=a,outcome=ok}"], [1.0]);
}

#[test]
fn the_rooms_gauge_follows_creation_and_removal() {
    let hub = LocalHub::new();
    let (ann, bob) = (ClientId::random(), ClientId::random());
    let limits = Arc::new(Limits::default().rooms(2));
    let rooms = |run: &dyn Fn()| {
        let recorded = recorded(async || run());
        recorded.get("zocket_rooms{}").map_or(0.0, |values| values[0])
    };
    let mailboxes =
        [ann, bob].map(|client| hub.connect(client, &ConnectOptions::new(limits.clone(), Form::BASE)));
    let join = |client, room: &str| hub.perform(Some(&client), Effect::Join(room.into()));
    let came = rooms(&|| {
        join(ann, "a").unwrap();
        join(ann, "b").unwrap();
        join(bob, "b").unwrap();
    });
    assert_eq!(came, 2.0);
    let refused = rooms(&|| {
        join(ann, "c").unwrap_err();
    });
    assert_eq!(refused, 0.0);
    assert_eq!(rooms(&|| hub.disconnect(&mailboxes[0])), -1.0);
    assert_eq!(rooms(&|| hub.disconnect(&mailboxes[1])), -1.0);
    let dropped = recorded(async || {
        let hub = LocalHub::new();
        let _mailbox = hub.connect(ann, &ConnectOptions::default());
        hub.perform(Some(&ann), Effect::Join("a".into())).unwrap();
    });
    assert_eq!(dropped.get("zocket_rooms{}"), None);
}

#[test]
fn calls_are_counted_by_route_and_outcome_and_text_of_the_server_is_no_label() {
    let recorded = recorded(async || {
        let layer = MetricsLayer::new().calls::<Failed>().codes([Code::app("OUTBID")]);
        let service = |result: Result<u32, Failed>| {
            layer.layer(service_fn(move |_: Bid| {
                let result = result.clone();
                async move {
                    tokio::time::sleep(Duration::from_millis(250)).await;
                    result
                }
            }))
        };
        service(Ok(7)).oneshot(Bid).await.unwrap();
        service(Ok(7)).oneshot(Bid).await.unwrap();
        for code in ["OUTBID", "CONFLICT", "a secret", "another"] {
            let refused = service(Err(Failed::Refused(code.to_owned())));
            refused.oneshot(Bid).await.unwrap_err();
        }
        service(Err(Failed::Disconnected)).oneshot(Bid).await.unwrap_err();
        let short = tokio::time::timeout(Duration::from_millis(250 / 2), service(Ok(7)).oneshot(Bid));
        short.await.unwrap_err();
    });
    let mut durations = vec![0.25; 7];
    durations.push(0.125);
    let expected = [
        ("zocket_client_call_duration_seconds{route=lot.bid}", durations),
        (
            "zocket_client_calls_total{route=lot.bid,outcome=CONFLICT}",
            vec![1.0],
        ),
        (
            "zocket_client_calls_total{route=lot.bid,outcome=OUTBID}",
            vec![1.0],
        ),
        (
            "zocket_client_calls_total{route=lot.bid,outcome=disconnected}",
            vec![1.0],
        ),
        (
            "zocket_client_calls_total{route=lot.bid,outcome=dropped}",
            vec![1.0],
        ),
        ("zocket_client_calls_total{route=lot.bid,outcome=ok}", vec![2.0]),
        (
            "zocket_client_calls_total{route=lot.bid,outcome=refused}",
            vec![2.0],
        ),
    ];
    let expected = expected.map(|(name, values)| (name.to_owned(), values));
    assert_eq!(recorded.into_iter().collect::<Vec<_>>(), expected);
}
