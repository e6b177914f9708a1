//! Middleware that changes messages, answers and errors: filter, map and its relatives.

use tower::{BoxError, ServiceBuilder, ServiceExt};
use zocket::{
    Code, Error,
    client::{CallError, Client},
};

use super::site::{Bid, Price, Site, Step, bid};

async fn site() -> (Site, Client) {
    let site = Site::open([]).await;
    let client = site.client().await;
    (site, client)
}

fn cheap(bid: Bid) -> Result<Bid, BoxError> {
    match bid.cents < 100 {
        true => Ok(bid),
        false => Err(Error::forbidden("too expensive").into()),
    }
}

#[tokio::test]
async fn a_filter_sends_only_the_messages_that_it_accepts() {
    let (site, client) = site().await;
    let sync = ServiceBuilder::new().filter(cheap).service(client.service());
    let later = ServiceBuilder::new()
        .filter_async(async |bid| cheap(bid))
        .service(client.service::<Bid>());
    for service in [sync.boxed_clone(), later.boxed_clone()] {
        let error = service.clone().oneshot(bid(100)).await.unwrap_err();
        let refusal = error.downcast_ref::<Error>();
        assert_eq!(refusal.map(Error::code), Some(Code::FORBIDDEN), "{error}");
        assert_eq!(service.oneshot(bid(99)).await.unwrap().cents, 99);
    }
    assert_eq!(site.begun(), 2);
}

#[tokio::test]
async fn map_request_makes_the_message_of_another_type() {
    let (_site, client) = site().await;
    let service = ServiceBuilder::new()
        .map_request(|euros: u64| bid(100 * euros))
        .service(client.service::<Bid>());
    assert_eq!(service.oneshot(3).await.unwrap().cents, 300);
}

#[tokio::test]
async fn map_response_and_its_relatives_change_the_answer() {
    let (_site, client) = site().await;
    let service = ServiceBuilder::new()
        .map_response(|cents: u64| cents + 1)
        .and_then(async |price: Price| Ok::<_, CallError>(price.cents * 10))
        .service(client.service::<Bid>());
    assert_eq!(service.oneshot(bid(3)).await.unwrap(), 31);
}

#[tokio::test]
async fn map_err_and_its_relatives_change_the_failure() {
    let site = Site::open([
        Step::Refuse(Error::conflict("sold")),
        Step::Refuse(Error::conflict("sold")),
        Step::Refuse(Error::conflict("sold")),
    ])
    .await;
    let client = site.client().await;
    let named = |error: CallError| error.refusal().unwrap().code.clone();
    let service = ServiceBuilder::new().map_err(named).service(client.service());
    assert_eq!(service.oneshot(bid(1)).await.unwrap_err(), "CONFLICT");
    let recovered =
        |result: Result<Price, CallError>| Ok::<_, CallError>(result.map_or(0, |price| price.cents));
    let service = ServiceBuilder::new()
        .map_result(recovered)
        .service(client.service());
    assert_eq!(service.oneshot(bid(1)).await.unwrap(), 0);
    let service = ServiceBuilder::new()
        .then(async move |result| recovered(result))
        .service(client.service());
    assert_eq!(service.oneshot(bid(1)).await.unwrap(), 0);
}

#[tokio::test]
async fn map_future_runs_code_around_each_call() {
    let (_site, client) = site().await;
    let service = client.service::<Bid>().map_future(async |call| {
        let price: Price = tokio::spawn(call).await.unwrap()?;
        Ok::<_, CallError>(price.cents)
    });
    assert_eq!(service.oneshot(bid(5)).await.unwrap(), 5);
}
