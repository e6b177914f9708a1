//! Middleware that picks one of several services: steer and balance.

use tower::{
    ServiceBuilder, ServiceExt,
    balance::p2c::Balance,
    discover::ServiceList,
    layer::layer_fn,
    load::{CompleteOnResponse, PendingRequests},
    steer::Steer,
};
use zocket::{RawPayload, Reply};

use super::{
    position::{At, Position, serve},
    site::{Script, Step, answer, ask, begin, connect, settle},
};

cells! {
    steer_chooses_by_the_message,
    balance_picks_the_less_loaded_service,
}

/// Returns a service that answers with its number.
macro_rules! numbered {
    ($inner:expr) => {
        [1, 2].map(|number| {
            $inner.clone().map_response(move |_: Reply| {
                Reply::with_payload(RawPayload::of(&format!("by {number}")).unwrap())
            })
        })
    };
}

async fn steer_chooses_by_the_message<P: Position>() {
    let script = Script::new([]);
    let layer = layer_fn(|inner: P::Inner| {
        Steer::new(numbered!(inner), |message: &At<P>, _: &[_]| {
            P::word(message.payload()).len() % 2
        })
    });
    let app = serve::<P, _, _>(&script, layer);
    let mut client = connect(&app).await;
    assert_eq!(ask(&mut client, "even").await, Ok("by 1".to_owned()));
    assert_eq!(ask(&mut client, "odd").await, Ok("by 2".to_owned()));
}

/// `Balance` is not `Clone`, so a buffer wraps it.
async fn balance_picks_the_less_loaded_service<P: Position>() {
    let script = Script::new([Step::Wait]);
    let balance = layer_fn(|inner: P::Inner| {
        let services =
            numbered!(inner).map(|service| PendingRequests::new(service, CompleteOnResponse::default()));
        Balance::new(ServiceList::new::<At<P>>(services))
    });
    let layer = ServiceBuilder::new().buffer::<At<P>>(16).layer(balance);
    let app = serve::<P, _, _>(&script, layer.into_inner());
    let (mut ann, mut bob) = (connect(&app).await, connect(&app).await);
    let first = begin(&mut ann, "part.it", "word").await;
    settle().await;
    let second = ask(&mut bob, "word").await.unwrap();
    let third = ask(&mut bob, "word").await.unwrap();
    script.release_one();
    let first = answer(&mut ann, &first).await.unwrap();
    assert_eq!(second, third);
    assert_ne!(first, second);
}
