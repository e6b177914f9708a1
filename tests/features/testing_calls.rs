//! Calls and messages by their types: of the test kit's clients, of the simulator's, and of detached connections.

#![allow(clippy::unwrap_used, reason = "these are tests, and their helpers")]

use std::{sync::Arc, task::Poll, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tower::{Service, ServiceExt};
use zocket::{
    Code, Context, Error, Incoming, Message, Outgoing, ProcedureBuilder, Refusal, Reply, Zocket,
    client::{CallError, Sent},
    layers::Effect,
    testing::{
        TestApp, TestClient,
        sim::{Sim, SimApp, SimClient, World},
    },
};

use crate::lots::{self, Bid, Close, Closed, LEAST, NEXT, Outbid, Price, Unwritable, Wait, other};

async fn visit() -> (TestApp, TestClient) {
    let zo = Zocket::builder().build();
    let app = TestApp::new(zo.serve(lots::router(&zo)));
    let client = app.connect(&()).await.unwrap();
    (app, client)
}

fn bid(cents: u64) -> Bid {
    Bid { cents }
}

#[tokio::test]
async fn a_tests_client_calls_by_type() {
    let (_app, mut ann) = visit().await;
    assert_eq!(ann.call(&bid(1_100)).await.unwrap().cents, 1_100);
    let error = ann.call(&other::Bid { cents: 1_100 }).await.unwrap_err();
    assert!(matches!(error, CallError::Decode(_)), "{error}");
    let error = ann.call(&Unwritable::new()).await.unwrap_err();
    assert!(matches!(error, CallError::Encode(_)), "{error}");
    let error = ann.send(&Unwritable::new()).await.unwrap_err();
    assert!(matches!(error, CallError::Encode(_)), "{error}");
}

#[tokio::test]
async fn a_failure_tells_its_code() {
    let (_app, mut ann) = visit().await;
    let error = ann.call(&bid(lots::CLOSED)).await.unwrap_err();
    assert!(error.is(Closed::CODE) && !error.is(Outbid::CODE), "{error}");
    assert_eq!(error.code(), Some("CLOSED"));
    ann.send(&bid(lots::CLOSED)).await.unwrap();
    assert!(ann.expect_error().await.is(Closed::CODE));
    let error = ann.call(&Unwritable::new()).await.unwrap_err();
    assert!(!error.is(Code::BAD_REQUEST), "{error}");
    assert_eq!(error.code(), None);
}

#[tokio::test]
async fn a_message_without_a_payload_is_called_and_sent_by_its_type() {
    let (_app, mut ann) = visit().await;
    assert_eq!(ann.call(&Close).await.unwrap(), 1);
    ann.send(&Close).await.unwrap();
    assert_eq!(ann.call(&Close).await.unwrap(), 3);
    // Its procedure ignores a payload.
    assert_eq!(ann.call_route::<usize>(Close::TYPE, &bid(7)).await.unwrap(), 4);

    let zo = Zocket::builder().build();
    let routes = lots::router(&zo).into_service().unwrap();
    assert_eq!(zo.detached(()).call(&routes, &Close).await.unwrap(), 1);
}

#[tokio::test]
async fn several_typed_calls_can_be_in_flight() {
    let (_app, mut ann) = visit().await;
    let first = ann.begin(&bid(1_100)).await.unwrap();
    let second = ann.begin(&bid(LEAST - 1)).await.unwrap();
    let third = ann.begin_route::<Price>("lot.bid", &bid(1_200)).await.unwrap();
    assert_eq!(ann.answer(third).await.unwrap(), Price { cents: 1_200 });
    let error = ann.answer(second).await.unwrap_err();
    assert_eq!(error.data::<Outbid>().unwrap(), Some(Outbid { least: NEXT }));
    assert_eq!(ann.answer(first).await.unwrap().cents, 1_100);
}

#[tokio::test]
async fn a_failure_of_a_sent_message_is_expected_with_its_data() {
    let (_app, mut ann) = visit().await;
    ann.send(&bid(LEAST)).await.unwrap();
    ann.send(&bid(LEAST - 1)).await.unwrap();
    let failure = ann.expect_error().await;
    assert_eq!(failure.route.as_deref(), Some("lot.bid"));
    assert_eq!(failure.data::<Outbid>().unwrap(), Some(Outbid { least: NEXT }));
    assert!(failure.data::<Closed>().unwrap().is_none());
    ann.expect_nothing().await;
}

#[test]
fn a_client_of_a_simulation_calls_by_type() {
    let app = |world: &World| {
        let zo = Zocket::builder().hub(world.hub()).build();
        SimApp::new(&zo, zo.serve(lots::router(&zo)))
    };
    let script = async |client: SimClient| {
        assert_eq!(client.call(&bid(1_100)).await.unwrap().cents, 1_100);
        let begun = client.begin(&bid(LEAST - 1)).unwrap();
        client.send(&bid(LEAST)).unwrap();
        assert!(matches!(
            client.send(&Unwritable::new()),
            Err(CallError::Encode(_))
        ));
        let error = begun.answer().await.unwrap_err();
        assert_eq!(error.data::<Outbid>().unwrap(), Some(Outbid { least: NEXT }));
        let error = client
            .call_within(Duration::from_secs(1), &Wait {})
            .await
            .unwrap_err();
        assert!(
            matches!(error, CallError::Timeout { sent: Sent::Unknown }),
            "{error}"
        );
    };
    let totals = Sim::seed(7).clients(2).run(app, script);
    assert_eq!((totals.seeds, totals.calls), (1, 6), "{totals}");
}

#[tokio::test]
async fn a_detached_connection_calls_a_procedure() {
    let zo = Zocket::builder().build();
    let procedure = zo.message().refuses::<Outbid>().handle(lots::bid);
    let ann = zo.detached(());
    // The calls borrow neither the procedure nor the connection nor their messages.
    let calls = [1_100, LEAST - 1, 0].map(|cents| procedure.clone().call_as(&ann.clone(), &bid(cents)));
    let [price, outbid, invalid] = calls;
    assert_eq!(price.await.unwrap(), Price { cents: 1_100 });
    let refusal = outbid.await.unwrap_err();
    assert_eq!(refusal.data::<Outbid>().unwrap(), Some(Outbid { least: NEXT }));
    let refusal = invalid.await.unwrap_err();
    assert_eq!(refusal.issues()[0].path, ["cents".into()]);
    assert_eq!(ann.call(&procedure, &bid(1_100)).await.unwrap().cents, 1_100);
}

#[tokio::test]
async fn a_detached_connection_calls_a_procedure_without_input_by_its_message() {
    let zo = Zocket::builder().build();
    let close = zo.message().handle(async |_: Context<()>| Ok(3_usize));
    assert_eq!(close.call_as(&zo.detached(()), &Close).await.unwrap(), 3);
    // A message without members fits as well if its procedure ignores it.
    let wait = zo.message().handle(async |_: Context<()>| Ok(()));
    wait.call_as(&zo.detached(()), &Wait {}).await.unwrap();
    let broken = async |_: Context<()>| Err::<usize, _>(Error::new(Closed::CODE, "the lot is closed"));
    let refusal = zo.message().declare_code(Closed::CODE).handle(broken);
    let refusal = refusal.call_as(&zo.detached(()), &Close).await.unwrap_err();
    assert_eq!(refusal.code(), Closed::CODE);
}

#[tokio::test]
async fn refusals_that_a_procedure_does_not_declare_are_internal_errors_without_a_router() {
    let zo = Zocket::builder().build();
    let ann = zo.detached(());
    let code_of = async |procedure: ProcedureBuilder<_, _, _, _>, cents| {
        let procedure = procedure.handle(lots::bid);
        let by_message = ann.call(&procedure, &bid(cents)).await.unwrap_err().code();
        let by_type = procedure.call_as(&ann, &bid(cents)).await.unwrap_err().code();
        assert_eq!(by_message, by_type);
        by_type
    };
    let (internal, outbid, closed) = (Code::INTERNAL_SERVER_ERROR, Outbid::CODE, Closed::CODE);
    let nothing = || zo.message();
    assert_eq!(code_of(nothing(), LEAST - 1).await, internal);
    assert_eq!(code_of(nothing(), lots::CLOSED).await, internal);
    assert_eq!(code_of(nothing(), 0).await, Code::BAD_REQUEST);
    let both = || nothing().refuses::<Outbid>().declare_code(closed);
    assert_eq!(code_of(both(), LEAST - 1).await, outbid);
    assert_eq!(code_of(both(), lots::CLOSED).await, closed);
    // A code with other data, or with data where none is declared.
    assert_eq!(
        code_of(nothing().refuses::<other::Outbid>(), LEAST - 1).await,
        internal
    );
    assert_eq!(code_of(nothing().declare_code(outbid), LEAST - 1).await, internal);
    assert_eq!(
        code_of(nothing().refuses::<Closed>(), lots::CLOSED).await,
        internal
    );
}

#[tokio::test]
async fn a_procedure_that_is_never_ready_again_is_checked_too() {
    let zo = Zocket::builder().build();
    let unready = tower::layer::layer_fn(|_| Unready);
    let refusal = zo
        .message()
        .layer(unready)
        .handle(lots::bid)
        .call_as(&zo.detached(()), &bid(1_100));
    assert_eq!(refusal.await.unwrap_err().code(), Code::INTERNAL_SERVER_ERROR);
    let declared = zo
        .message()
        .declare_code(Closed::CODE)
        .layer(unready)
        .handle(lots::bid);
    let refusal = declared.call_as(&zo.detached(()), &bid(1_100)).await.unwrap_err();
    assert_eq!(refusal.code(), Closed::CODE);
}

/// A service that refuses in `poll_ready`.
#[derive(Clone)]
struct Unready;

impl<M> Service<M> for Unready {
    type Response = Reply;
    type Error = Error;
    type Future = std::future::Pending<Result<Reply, Error>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Err(Error::new(Closed::CODE, "the lot is closed")))
    }

    fn call(&mut self, _: M) -> Self::Future {
        std::future::pending()
    }
}

#[tokio::test]
async fn a_detached_connection_calls_a_router() {
    let zo = Zocket::builder().build();
    let router = lots::router(&zo).into_service().unwrap();
    let ann = zo.detached(());
    assert_eq!(ann.call(&router, &bid(1_100)).await.unwrap().cents, 1_100);
    let elsewhere = zo.router().into_service().unwrap();
    let refusal = ann.call(&elsewhere, &bid(1_100)).await.unwrap_err();
    assert_eq!(refusal.code(), Code::NOT_FOUND);
}

#[tokio::test]
async fn failures_of_a_detached_call_are_those_of_a_client() {
    let zo = Zocket::builder().build();
    let ann = zo.detached(());
    let broken = zo
        .message()
        .handle(async |_: Context<()>| Err::<(), _>(Error::internal("the password is hunter2")));
    let refusal = ann.call(&broken, &bid(1)).await.unwrap_err();
    assert_eq!(refusal.code(), Code::INTERNAL_SERVER_ERROR);
    assert!(!format!("{refusal:?}").contains("hunter2"), "{refusal:?}");

    let never = zo
        .message()
        .layer(tower::timeout::TimeoutLayer::new(Duration::from_millis(1)))
        .handle(async |_: Context<()>| std::future::pending::<Result<(), Error>>().await);
    let refusal = ann.call(&never, &Wait {}).await.unwrap_err();
    assert_eq!(refusal.code(), Code::TIMEOUT);

    let procedure = zo.message().handle(lots::bid);
    let refusal = ann
        .call(&procedure, &other::Bid { cents: 1_100 })
        .await
        .unwrap_err();
    assert_eq!(refusal.code(), Code::INTERNAL_SERVER_ERROR);
    let refusal = ann.call(&procedure, &Unwritable::new()).await.unwrap_err();
    assert_eq!(refusal.code(), Code::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn a_service_is_ready_before_a_detached_call() {
    let zo = Zocket::builder().build();
    let held = Arc::new(tokio::sync::Semaphore::new(1));
    let limited =
        tower::limit::ConcurrencyLimit::with_semaphore(zo.message().handle(lots::bid), held.clone());
    let ann = zo.detached(());
    let permit = held.acquire().await.unwrap();
    let mut call = Box::pin(ann.call(&limited, &bid(1_100)));
    let polled = std::future::poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await;
    assert!(polled.is_pending());
    drop(permit);
    assert_eq!(call.await.unwrap().cents, 1_100);
}

#[tokio::test]
async fn a_message_made_of_its_type_has_a_reply_with_effects() {
    let zo = Zocket::builder().build();
    let enter = zo.message().handle(async |cx: Context<()>, bid: Bid| {
        cx.rooms().join("bidders")?;
        Ok(Price { cents: bid.cents })
    });
    let message = Message::of(zo.detached(()), &bid(1_100)).unwrap();
    assert_eq!(message.parts().route(), "lot.bid");
    let reply = enter.oneshot(message).await.unwrap();
    assert_eq!(reply.answer_as::<Price>().unwrap(), Price { cents: 1_100 });
    assert!(reply.answer_as::<String>().is_err());
    assert_eq!(reply.effects, [Effect::Join("bidders".into())]);
}

/// Declares events with a price.
macro_rules! events {
    ($($name:ident: $event_type:literal),*) => {$(
        #[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
        struct $name {
            cents: u128,
        }

        impl Outgoing for $name {
            const TYPE: &'static str = $event_type;
        }
    )*};
}

events! {
    Rose: "lot.rose",
    Sold: "lot.sold"
}

#[tokio::test]
async fn the_events_of_a_reply_are_read_by_their_type() {
    /// An event with the name of [`Rose`], and another payload.
    #[derive(Debug, Serialize, Deserialize, JsonSchema)]
    struct Other {
        from: String,
    }

    impl Outgoing for Other {
        const TYPE: &'static str = Rose::TYPE;
    }

    let zo = Zocket::builder().build();
    let rises = zo.message().handle(async |cx: Context<()>, bid: Bid| {
        let cents = u128::from(bid.cents);
        cx.send(Rose { cents }).to_room("bidders");
        cx.rooms().join("bidders")?;
        cx.send(Sold { cents: u128::MAX }).broadcast();
        cx.send(Rose { cents: cents + 1 }).to([cx.client_id()]);
        Ok(Price { cents: bid.cents })
    });
    let message = Message::of(zo.detached(()), &bid(1_100)).unwrap();
    let reply = rises.oneshot(message).await.unwrap();
    assert_eq!(
        reply.events_as::<Rose>().unwrap(),
        [Rose { cents: 1_100 }, Rose { cents: 1_101 }]
    );
    assert_eq!(reply.events_as::<Sold>().unwrap(), [Sold { cents: u128::MAX }]);
    assert!(reply.events_as::<Other>().is_err());
}
