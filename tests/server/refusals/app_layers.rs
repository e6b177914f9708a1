//! Refusals that layers of the whole app make, under codes that routes declare. Clients rely on the declarations, so
//! one that does not fit is internal.

use std::task::{Context as Task, Poll};

use serde_json::{Value, json};
use tower::{BoxError, Service, ServiceBuilder, layer::layer_fn};
use zocket::{
    Context, Error, Message, Next, Refusal, Reply, Router, Zocket, from_fn,
    layers::{DecodeLayer, RescueLayer},
};

use super::extended;
use crate::{
    common::{Client, serve},
    refusals_with_data::{Outbid, OutbidToo, Sold},
};

/// Refuses as the payload of the message says: `"outbid without data"`. Any other message passes.
async fn refuse(message: Message, next: Next) -> Result<Reply, BoxError> {
    let how = serde_json::from_slice::<Value>(message.payload().as_json());
    let error = match how.ok().as_ref().and_then(Value::as_str) {
        Some("outbid with data") => Error::refuse(Outbid { least: 3 }),
        Some("outbid without data") => Error::new(Outbid::CODE, "too low"),
        Some("outbid with other data") => Error::refuse(OutbidToo { least: 3 }),
        Some("sold with data") => Error::refuse(Sold { least: 3 }),
        Some("sold without data") => Error::new(Sold::CODE, "sold"),
        Some("forbidden") => Error::forbidden("not you"),
        _ => return next.run(message).await,
    };
    Err(error.into())
}

/// Returns a router whose route `bid` declares OUTBID with data and SOLD without, and whose route `look` declares nothing.
fn router(zo: &Zocket) -> Router<()> {
    let nothing = async |_: Context| Ok(());
    let bid = zo.message().refuses::<Outbid>().declare_code(Sold::CODE);
    zo.router()
        .incoming("look", zo.message().handle(nothing))
        .nest("lot", zo.router().incoming("bid", bid.handle(nothing)))
}

/// Asserts what the route answers to each payload: its code, with data if that is said.
async fn assert_refused(client: &mut Client, route: &str, expected: &[(&str, &str, Value)]) {
    for (how, code, data) in expected {
        let refusal = client.call(route, json!(how)).await.unwrap_err();
        assert_eq!(refusal.code(), *code, "{route}, {how}: {refusal:?}");
        assert_eq!(refusal.0["data"], *data, "{route}, {how}: {refusal:?}");
    }
}

/// Asserts that `refuse` is checked around the routes of [`router`].
async fn assert_checked(client: &mut Client) {
    let internal = |how| (how, "INTERNAL_SERVER_ERROR", Value::Null);
    let least = json!({ "least": 3 });
    let fits = [
        ("outbid with data", "OUTBID", least.clone()),
        ("sold without data", "SOLD", Value::Null),
        ("forbidden", "FORBIDDEN", Value::Null),
    ];
    assert_refused(client, "lot.bid", &fits).await;
    let mistakes = ["outbid without data", "outbid with other data", "sold with data"].map(internal);
    assert_refused(client, "lot.bid", &mistakes).await;
    assert_eq!(client.call("lot.bid", Value::Null).await, Ok(None));

    let undeclared = [
        ("outbid with data", "OUTBID", least.clone()),
        ("outbid without data", "OUTBID", Value::Null),
        ("outbid with other data", "OUTBID", least.clone()),
        ("sold with data", "SOLD", least),
    ];
    assert_refused(client, "look", &undeclared).await;
    assert_refused(client, "no.such.route", &undeclared).await;
}

#[tokio::test]
async fn a_layer_of_the_app_may_not_refuse_otherwise_than_a_route_declares() {
    let zo = Zocket::builder().layer(from_fn(refuse)).build();
    let server = serve(zo.serve(router(&zo))).await;
    let mut client = extended(&server).await;
    assert_checked(&mut client).await;

    client
        .send(json!({ "type": "lot.bid", "payload": "outbid without data" }))
        .await;
    let error = client.event("__error").await;
    assert_eq!(error["code"], "INTERNAL_SERVER_ERROR", "{error}");
    // A client of the base protocol receives no data. It knows the contract as well.
    let mut base = server.connect("").await;
    let refusal = base.call("lot.bid", json!("outbid with other data")).await;
    assert_eq!(refusal.unwrap_err().code(), "INTERNAL_SERVER_ERROR");
}

#[tokio::test]
async fn a_layer_of_a_stack_composed_by_hand_is_checked_inside_of_rescue() {
    let zo = Zocket::builder().build();
    let service = zo.serve_with(router(&zo), |routes| {
        ServiceBuilder::new()
            .layer(DecodeLayer::json())
            .layer(RescueLayer::new())
            .layer(from_fn(refuse))
            .service(routes)
    });
    assert_checked(&mut extended(&serve(service).await).await).await;
}

#[tokio::test]
async fn a_refusal_fits_if_one_of_the_apps_routers_declares_it_for_the_route() {
    let zo = Zocket::builder().layer(from_fn(refuse)).build();
    let other = zo
        .message()
        .refuses::<OutbidToo>()
        .handle(async |_: Context| Ok(()));
    drop(zo.serve(zo.router().incoming("lot.bid", other)));
    let server = serve(zo.serve(router(&zo))).await;
    let mut client = extended(&server).await;
    let expected = [
        ("outbid with data", "OUTBID", json!({ "least": 3 })),
        ("outbid with other data", "OUTBID", json!({ "least": 3 })),
        ("outbid without data", "INTERNAL_SERVER_ERROR", Value::Null),
    ];
    assert_refused(&mut client, "lot.bid", &expected).await;
}

/// A service that has failed for good.
#[derive(Clone)]
struct Failed<S>(S);

impl<S: Service<Message>> Service<Message> for Failed<S> {
    type Response = S::Response;
    type Error = BoxError;
    type Future = std::future::Ready<Result<S::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Task<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Err(Error::new(Outbid::CODE, "too low").into()))
    }

    fn call(&mut self, _: Message) -> Self::Future {
        unreachable!("it is not ready")
    }
}

#[tokio::test]
async fn a_layer_that_has_failed_for_good_may_not_refuse_otherwise_than_a_route_declares() {
    for (route, code) in [("lot.bid", "INTERNAL_SERVER_ERROR"), ("look", "OUTBID")] {
        let zo = Zocket::builder().layer(layer_fn(Failed)).build();
        let server = serve(zo.serve(router(&zo))).await;
        let mut client = extended(&server).await;
        let refusal = client.call(route, Value::Null).await.unwrap_err();
        assert_eq!(refusal.code(), code, "{refusal:?}");
        assert_eq!(client.closed().await.0, 1011);
    }
}
