//! Data of refusals through layers: it is encoded once, and every copy of a refusal has it.
#![allow(
    clippy::unwrap_used,
    reason = "what is unwrapped by a test's helper is part of the test"
)]

use std::{
    error::Error as StdError,
    fmt,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures_util::FutureExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::json;
use tokio::sync::Semaphore;
use tower::{BoxError, ServiceBuilder, ServiceExt, layer::util::Identity, service_fn, util::MapErrLayer};
use zocket_layers::{
    Code, Connection, Error, HttpLayer, IdempotencyLayer, Message, Outcome, RawPayload, Refusal, Reply,
    RescueLayer, idempotency::payload_member, rescue::explain,
};

/// Data that counts how often it is encoded, and lends its counter to one test.
#[derive(JsonSchema, Deserialize, Debug, PartialEq)]
struct Counted {
    least: u64,
    #[serde(skip)]
    #[schemars(skip)]
    times: Times,
}

#[derive(Debug, Clone, Copy)]
struct Times(&'static AtomicUsize);

impl Default for Times {
    fn default() -> Self {
        static UNUSED: AtomicUsize = AtomicUsize::new(0);
        Self(&UNUSED)
    }
}

impl PartialEq for Times {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Serialize for Counted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.times.0.fetch_add(1, Ordering::SeqCst);
        json!({ "least": self.least }).serialize(serializer)
    }
}

impl Refusal for Counted {
    const CODE: Code = Code::app("COUNTED");
}

/// Makes refusals whose data counts here.
struct Counter(&'static AtomicUsize);

impl Counter {
    fn new() -> Self {
        Self(Box::leak(Box::default()))
    }

    fn refusal(&self) -> Error {
        Error::refuse(Counted {
            least: 7,
            times: Times(self.0),
        })
    }

    fn times(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

fn message() -> Message {
    Message::new(
        Connection::detached(()),
        "shop.order",
        RawPayload::json(r#"{"key":"1"}"#),
    )
}

fn assert_has_data(error: &Error) {
    let data = error.data::<Counted>().unwrap().unwrap();
    assert_eq!(data.least, 7);
    assert_eq!(
        serde_json::to_value(error).unwrap(),
        json!({ "code": "COUNTED", "message": "refused with COUNTED", "data": { "least": 7 } })
    );
}

#[derive(Debug)]
struct Wrapped(BoxError);

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("wrapped")
    }
}

impl StdError for Wrapped {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.0)
    }
}

#[test]
fn a_wrapped_refusal_is_explained_with_its_data_and_not_encoded_again() {
    let counter = Counter::new();
    let wrapped = Wrapped(Wrapped(counter.refusal().into()).into());
    let explained = explain(wrapped.into());
    assert_has_data(&explained);
    assert_eq!(counter.times(), 1);
    // The wrappers stay in the log.
    assert_eq!(explained.source().unwrap().to_string(), "wrapped");
}

#[test]
fn a_refusal_around_another_has_no_data_of_the_inner_one() {
    let outer = Error::conflict("taken").with_source(Counter::new().refusal());
    assert!(outer.data::<Counted>().unwrap().is_none());
    let explained = serde_json::to_value(explain(outer.into())).unwrap();
    assert_eq!(explained, json!({ "code": "CONFLICT", "message": "taken" }));
}

#[test]
fn an_internal_error_around_a_refusal_hides_its_data() {
    let explained = explain(Error::internal(Counter::new().refusal()).into());
    let text = serde_json::to_string(&explained).unwrap();
    assert!(
        text.contains("INTERNAL_SERVER_ERROR") && !text.contains("least"),
        "{text}"
    );
}

#[test]
fn data_is_read_by_its_code_and_its_shape() {
    #[derive(Debug, Serialize, Deserialize, JsonSchema)]
    struct Other {
        most: String,
    }
    impl Refusal for Other {
        const CODE: Code = Counted::CODE;
    }
    #[derive(Debug, Serialize, Deserialize, JsonSchema)]
    struct Elsewhere;
    impl Refusal for Elsewhere {
        const CODE: Code = Code::app("ELSEWHERE");
    }
    let error = Counter::new().refusal();
    assert!(error.data::<Elsewhere>().unwrap().is_none());
    let misfit = error.data::<Other>().unwrap_err();
    let text = misfit.to_string();
    for words in ["`COUNTED`", "::Other`"] {
        assert!(text.contains(words), "{text}");
    }
    let reason = misfit.source().unwrap().to_string();
    assert!(reason.contains("most"), "{reason}");
    let missing = Error::new(Counted::CODE, "").data::<Counted>().unwrap_err();
    let text = missing.to_string();
    for words in ["`COUNTED`", "no data", "::Counted`"] {
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn a_wait_can_be_added_to_a_refusal_with_data() {
    let error = Counter::new()
        .refusal()
        .with_retry_after(Duration::from_millis(20));
    let value = serde_json::to_value(&error).unwrap();
    assert_eq!(
        (&value["retryAfterMs"], &value["data"]["least"]),
        (&json!(20), &json!(7))
    );
}

/// Returns the refusal of a message through `layer`, around a service that refuses with data.
macro_rules! refused_through {
    ($counter:expr, $layer:expr) => {{
        let refusal = $counter.refusal();
        let refusal = std::sync::Arc::new(std::sync::Mutex::new(Some(refusal)));
        let inner = service_fn(move |_: Message| {
            let refusal = refusal.lock().unwrap().take().unwrap();
            async move { Err::<Reply, BoxError>(refusal.into()) }
        });
        let service = ServiceBuilder::new()
            .layer(RescueLayer::new())
            .layer($layer)
            .service(inner);
        match service.oneshot(message()).await.unwrap() {
            Outcome::Refused(error) => error,
            Outcome::Reply(_) => panic!("not refused"),
        }
    }};
}

#[tokio::test]
async fn data_passes_layers_and_is_encoded_once() {
    let counter = Counter::new();
    assert_has_data(&refused_through!(counter, Identity::new()));
    let wrap = MapErrLayer::new(|error: BoxError| -> BoxError { Wrapped(error).into() });
    assert_has_data(&refused_through!(counter, wrap));
    let buffer = ServiceBuilder::new().buffer::<Message>(2);
    assert_has_data(&refused_through!(counter, buffer.into_inner()));
    let timeout = ServiceBuilder::new().timeout(Duration::from_secs(60));
    assert_has_data(&refused_through!(counter, timeout.into_inner()));
    assert_has_data(&refused_through!(counter, HttpLayer::new(Identity::new())));
    let idempotency = IdempotencyLayer::new(payload_member("key"));
    assert_has_data(&refused_through!(counter, idempotency));
    assert_eq!(counter.times(), 6);
}

#[tokio::test]
async fn messages_that_wait_for_the_first_of_their_key_share_its_encoded_data() {
    let counter: &'static Counter = Box::leak(Box::new(Counter::new()));
    let gate: &'static Semaphore = Box::leak(Box::new(Semaphore::new(0)));
    let inner = service_fn(move |_: Message| async move {
        gate.acquire().await.unwrap().forget();
        Err::<Reply, BoxError>(Wrapped(counter.refusal().into()).into())
    });
    let service = ServiceBuilder::new()
        .layer(RescueLayer::new())
        .layer(IdempotencyLayer::new(payload_member("key")))
        .service(inner);
    let message = message();
    let results = (0..4).map(|_| service.clone().oneshot(message.clone()));
    let mut results: Vec<_> = results.map(Box::pin).collect();
    for result in &mut results {
        assert!(result.now_or_never().is_none());
    }
    gate.add_permits(1);
    for result in results {
        match result.await.unwrap() {
            Outcome::Refused(error) => assert_has_data(&error),
            Outcome::Reply(_) => panic!("not refused"),
        }
    }
    assert_eq!(counter.times(), 1);
}
