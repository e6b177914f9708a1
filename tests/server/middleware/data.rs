//! Data of refusals through layers, as a client of the extended protocol receives it.

use std::{error::Error as StdError, fmt, future::Ready, time::Duration};

use serde_json::{Value, json};
use tower::{
    BoxError, ServiceBuilder, hedge,
    layer::layer_fn,
    retry::{Policy, RetryLayer},
    timeout::TimeoutLayer,
    util::MapErrLayer,
};
use tower_http::trace::TraceLayer;
use zocket::{
    Code, Error, RawPayload, Refusal, Reply,
    layers::{HttpLayer, IdempotencyLayer},
};

use super::{
    position::{At, ErrorAt, Position, serve, serve_atomic},
    site::{Ask, Client, Outbid, SOLD, Script, Step, begin, connect, connect_extended, settle},
};

cells! {
    data_of_the_last_attempt_passes_a_retry,
    data_passes_a_buffer,
    data_passes_a_layer_that_wraps_errors,
    data_passes_a_layer_that_makes_the_refusal_again,
    a_refusal_that_a_layer_makes_without_its_data_is_internal,
    a_layer_may_not_refuse_with_data_under_a_code_without,
    an_elapsed_timeout_has_no_data,
    data_of_the_attempt_that_answers_passes_a_hedge,
    data_passes_an_atomic_procedure_whose_effects_are_dropped,
    a_client_of_the_base_protocol_receives_code_and_sentence,
}

cells! { raw
    data_passes_an_http_layer,
    messages_that_wait_for_the_first_of_their_key_receive_its_data,
}

/// Calls `part.it`, which must be refused. Returns the refusal.
async fn refused(client: &mut Client) -> Value {
    let id = begin(client, "part.it", "word").await;
    client.answer(&id).await.unwrap_err().0
}

fn outbid(least: u64) -> Value {
    json!({ "code": "OUTBID", "message": "refused with OUTBID", "data": { "least": least } })
}

/// Returns a script that refuses once with data.
fn refusing(least: u64) -> Script {
    Script::new([Step::Refuse(Outbid { least })])
}

fn assert_internal(refusal: &Value) {
    assert_eq!(refusal["code"], "INTERNAL_SERVER_ERROR", "{refusal}");
    assert_eq!(
        refusal.as_object().map(serde_json::Map::len),
        Some(2),
        "{refusal}"
    );
}

/// Retries once after a refusal whose data says so.
#[derive(Clone)]
struct WhileLow;

impl<R: Clone, E: Into<BoxError>> Policy<R, Reply, E> for WhileLow
where
    E: AsRefusal,
{
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut R, result: &mut Result<Reply, E>) -> Option<Ready<()>> {
        let data = result.as_ref().err()?.refusal()?.data::<Outbid>().ok()??;
        (data.least < 10).then(|| std::future::ready(()))
    }

    fn clone_request(&mut self, request: &R) -> Option<R> {
        Some(request.clone())
    }
}

/// An error that may be a refusal, whatever its type at a position is.
trait AsRefusal {
    fn refusal(&self) -> Option<&Error>;
}

impl AsRefusal for Error {
    fn refusal(&self) -> Option<&Error> {
        Some(self)
    }
}

impl AsRefusal for BoxError {
    fn refusal(&self) -> Option<&Error> {
        self.downcast_ref()
    }
}

async fn data_of_the_last_attempt_passes_a_retry<P: Position>()
where
    ErrorAt<P>: AsRefusal,
{
    let script = Script::new([1, 2, 30].map(|least| Step::Refuse(Outbid { least })));
    let app = serve_atomic::<P, _, _>(&script, RetryLayer::new(WhileLow));
    let mut client = connect_extended(&app).await;
    assert_eq!(refused(&mut client).await, outbid(30));
    assert_eq!(script.begun(), 3);
}

async fn data_passes_a_buffer<P: Position>() {
    let layer = ServiceBuilder::new().buffer::<At<P>>(4).into_inner();
    let app = serve::<P, _, _>(&refusing(7), layer);
    assert_eq!(refused(&mut connect_extended(&app).await).await, outbid(7));
}

#[derive(Debug)]
struct Wrapped(BoxError);

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it went wrong: {}", self.0)
    }
}

impl StdError for Wrapped {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.0)
    }
}

async fn data_passes_a_layer_that_wraps_errors<P: Position>() {
    let wrap = |error: ErrorAt<P>| -> BoxError { Wrapped(Wrapped(error.into()).into()).into() };
    let app = serve::<P, _, _>(&refusing(7), MapErrLayer::new(wrap));
    assert_eq!(refused(&mut connect_extended(&app).await).await, outbid(7));
}

async fn data_passes_a_layer_that_makes_the_refusal_again<P: Position>() {
    let again = |error: ErrorAt<P>| -> BoxError {
        let error: BoxError = error.into();
        let data = error.downcast_ref::<Error>().unwrap().data::<Outbid>();
        let least = data.unwrap().unwrap().least + 1;
        Error::refuse(Outbid { least }).with_source(error).into()
    };
    let app = serve::<P, _, _>(&refusing(7), MapErrLayer::new(again));
    assert_eq!(refused(&mut connect_extended(&app).await).await, outbid(8));
}

async fn a_refusal_that_a_layer_makes_without_its_data_is_internal<P: Position>() {
    let strip = |error: ErrorAt<P>| -> BoxError {
        let error: BoxError = error.into();
        let refusal = error.downcast_ref::<Error>().unwrap();
        Error::new(refusal.code(), refusal.message().to_owned()).into()
    };
    let app = serve::<P, _, _>(&refusing(7), MapErrLayer::new(strip));
    assert_internal(&refused(&mut connect_extended(&app).await).await);
}

/// The procedures declare `SOLD` without data.
async fn a_layer_may_not_refuse_with_data_under_a_code_without<P: Position>() {
    #[derive(serde::Serialize, schemars::JsonSchema)]
    struct SoldTo(&'static str);

    impl Refusal for SoldTo {
        const CODE: Code = SOLD;
    }

    let sell = |_: ErrorAt<P>| -> BoxError { Error::refuse(SoldTo("Ann")).into() };
    let app = serve::<P, _, _>(&refusing(7), MapErrLayer::new(sell));
    assert_internal(&refused(&mut connect_extended(&app).await).await);
}

async fn an_elapsed_timeout_has_no_data<P: Position>() {
    let script = Script::new([Step::Wait]);
    let app = serve::<P, _, _>(&script, TimeoutLayer::new(Duration::from_secs(1)));
    let refusal = refused(&mut connect_extended(&app).await).await;
    assert_eq!(
        refusal,
        json!({ "code": "TIMEOUT", "message": "the message timed out" })
    );
}

/// Sends a second attempt when the first one is slower than earlier messages.
#[derive(Clone)]
struct Always;

impl<R: Clone> hedge::Policy<R> for Always {
    fn clone_request(&self, request: &R) -> Option<R> {
        Some(request.clone())
    }

    fn can_retry(&self, _: &R) -> bool {
        true
    }
}

async fn data_of_the_attempt_that_answers_passes_a_hedge<P: Position>() {
    let script = Script::new([Step::Wait, Step::Refuse(Outbid { least: 2 })]);
    let hedge = layer_fn(|inner: P::Inner| {
        let minute = Duration::from_secs(60);
        hedge::Hedge::new_with_mock_latencies::<At<P>>(inner, Always, 10, 0.9, minute, &[100; 10])
    });
    let layer = ServiceBuilder::new().buffer::<At<P>>(16).layer(hedge);
    let app = serve_atomic::<P, _, _>(&script, layer.into_inner());
    assert_eq!(refused(&mut connect_extended(&app).await).await, outbid(2));
    assert_eq!((script.begun(), script.waiting()), (2, 0));
}

async fn data_passes_an_atomic_procedure_whose_effects_are_dropped<P: Position>() {
    let app = serve_atomic::<P, _, _>(&refusing(7), tower::layer::util::Identity::new());
    let mut client = connect_extended(&app).await;
    assert_eq!(refused(&mut client).await, outbid(7));
    client.expect_nothing().await;
}

async fn a_client_of_the_base_protocol_receives_code_and_sentence<P: Position>() {
    let app = serve::<P, _, _>(&refusing(7), tower::layer::util::Identity::new());
    assert_eq!(
        refused(&mut connect(&app).await).await,
        json!({ "code": "OUTBID", "message": "refused with OUTBID" })
    );
}

async fn data_passes_an_http_layer<P: Position<Payload = RawPayload, Context = ()>>() {
    let app = serve::<P, _, _>(&refusing(7), HttpLayer::new(TraceLayer::new_for_http()));
    assert_eq!(refused(&mut connect_extended(&app).await).await, outbid(7));
}

async fn messages_that_wait_for_the_first_of_their_key_receive_its_data<P>()
where
    P: Position<Payload = RawPayload, Context = ()>,
{
    let script = Script::new([Step::WaitAndRefuse(Outbid { least: 7 })]);
    let key = |message: &zocket::Message| {
        let ask = serde_json::from_slice::<Ask>(message.payload().as_json());
        ask.ok().map(|ask| ask.word)
    };
    let app = serve::<P, _, _>(&script, IdempotencyLayer::new(key).scope(|_| "all".into()));
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = connect_extended(&app).await;
        let id = begin(&mut client, "part.it", "word").await;
        settle().await;
        clients.push((client, id));
    }
    assert_eq!(script.begun(), 1);
    script.release_one();
    for (client, id) in &mut clients {
        assert_eq!(client.answer(id).await.unwrap_err().0, outbid(7));
    }
}
