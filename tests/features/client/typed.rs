//! Calls and messages by their types, and the data of refusals.

use std::{error::Error as _, time::Duration};

use futures_util::future::join_all;
use zocket::{
    Code, Zocket,
    client::{CallError, CallOptions, Client, Outage, Sent},
};

use super::{
    common::{Server, serve},
    hasty,
    servers::refusing,
    soon,
};
use crate::lots::{
    Bid, BorrowedBid, CLOSED, Closed, LEAST, NEXT, Outbid, Price, Unwritable, Wait, other, router,
};

async fn auction() -> (Server, Client) {
    let zo = Zocket::builder().build();
    let server = serve(zo.serve(router(&zo))).await;
    let client = Client::builder(server.url("")).connect().await.unwrap();
    (server, client)
}

fn bid(cents: u64) -> Bid {
    Bid { cents }
}

#[tokio::test]
async fn a_message_is_answered_in_the_type_that_it_names() {
    let (_server, client) = auction().await;
    assert_eq!(client.call(&bid(1_100)).await.unwrap().cents, 1_100);
    let borrowed = client.call(&BorrowedBid { cents: &1_200 });
    assert_eq!(borrowed.await.unwrap(), Price { cents: 1_200 });
}

#[tokio::test]
async fn a_call_does_not_borrow_its_message() {
    let (_server, client) = auction().await;
    let calls = [1_100, 1_200, 1_300].map(|cents| client.call(&bid(cents)));
    let prices = join_all(calls)
        .await
        .into_iter()
        .map(|price| price.unwrap().cents);
    assert_eq!(prices.collect::<Vec<_>>(), [1_100, 1_200, 1_300]);
}

#[tokio::test]
async fn a_call_with_its_own_time_limit_ends_at_it() {
    let (_server, client) = auction().await;
    let hasty = CallOptions::default().timeout(Duration::from_millis(20));
    let error = soon(client.call_with(&Wait {}, hasty)).await.unwrap_err();
    assert!(
        matches!(error, CallError::Timeout { sent: Sent::Unknown }),
        "{error}"
    );
    assert!(error.data::<Outbid>().unwrap().is_none());
}

#[tokio::test]
async fn an_answer_or_a_message_that_does_not_fit_is_an_error() {
    let (_server, client) = auction().await;
    let error = client.call(&other::Bid { cents: 1_100 }).await.unwrap_err();
    assert!(matches!(error, CallError::Decode(_)), "{error}");
    let error = client.call(&Unwritable::new()).await.unwrap_err();
    assert!(matches!(error, CallError::Encode(_)), "{error}");
    let error = client.send(&Unwritable::new()).await.unwrap_err();
    assert!(matches!(error, CallError::Encode(_)), "{error}");
    assert_eq!(client.call(&bid(LEAST)).await.unwrap().cents, LEAST);
}

#[tokio::test]
async fn a_refusal_of_a_call_has_its_data() {
    let (_server, client) = auction().await;
    let error = client.call(&bid(LEAST - 1)).await.unwrap_err();
    assert_eq!(error.data::<Outbid>().unwrap(), Some(Outbid { least: NEXT }));
    assert_eq!(
        error.refusal().unwrap().data_json(),
        Some(&*format!(r#"{{"least":{NEXT}}}"#))
    );
    assert!(error.data::<Closed>().unwrap().is_none(), "another code");
    let mismatch = error.data::<other::Outbid>().unwrap_err();
    assert!(mismatch.to_string().contains("OUTBID"), "{mismatch}");
    let reason = mismatch.source().unwrap().to_string();
    assert!(reason.contains("`by`"), "{reason}");
}

#[tokio::test]
async fn a_refusal_without_the_data_of_its_code_does_not_fit() {
    let (_server, client) = auction().await;
    let error = client.call(&bid(CLOSED)).await.unwrap_err();
    let mismatch = error.data::<Closed>().unwrap_err().to_string();
    assert!(
        mismatch.contains("CLOSED") && mismatch.contains("no data"),
        "{mismatch}"
    );
    let error = client.call(&bid(0)).await.unwrap_err();
    assert!(error.refusal().unwrap().is(Code::BAD_REQUEST));
    assert!(error.data::<Outbid>().unwrap().is_none());
}

#[tokio::test]
async fn a_failure_of_a_sent_message_has_its_data() {
    let (_server, client) = auction().await;
    let mut failures = client.errors();
    client.send(&bid(LEAST)).await.unwrap();
    client.send(&bid(LEAST - 1)).await.unwrap();
    let failure = soon(failures.next()).await.unwrap().unwrap();
    assert_eq!(failure.route.as_deref(), Some("lot.bid"));
    assert_eq!(failure.data::<Outbid>().unwrap(), Some(Outbid { least: NEXT }));
    assert!(failure.data::<Closed>().unwrap().is_none());
    assert!(failure.data::<other::Outbid>().is_err());
}

#[tokio::test]
async fn a_refused_handshake_has_its_data() {
    let (server, _) = refusing(
        "HTTP/1.1 403 Forbidden\r\ncontent-length: 67\r\n\r\n\
         {\"error\":\"no\",\"code\":\"OUTBID\",\"data\":{\"least\":36893488147419103232}}",
    )
    .await;
    let outage = soon(hasty(server.url("")).connect()).await.unwrap_err();
    assert_eq!(outage.data::<Outbid>().unwrap(), Some(Outbid { least: 1 << 65 }));
    assert!(outage.refusal().unwrap().is(Code::app("OUTBID")));
    assert!(outage.data::<Closed>().unwrap().is_none());
    assert!(outage.data::<other::Outbid>().is_err());
    assert!(Outage::Silent.data::<Outbid>().unwrap().is_none());
}
