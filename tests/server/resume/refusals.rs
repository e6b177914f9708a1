//! Refusals with data in the record of a session.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use serde_json::json;
use tokio::sync::Semaphore;
use zocket::{Code, Context, Error, Refusal, Zocket};

use super::peer::Peer;
use crate::common::until;

/// Data that counts the times that it is encoded.
#[derive(JsonSchema)]
struct Outbid(#[schemars(skip)] Arc<AtomicUsize>);

impl Serialize for Outbid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.fetch_add(1, Ordering::SeqCst);
        json!({ "least": 1_103 }).serialize(serializer)
    }
}

impl Refusal for Outbid {
    const CODE: Code = Code::app("OUTBID");
}

#[tokio::test]
async fn a_refusal_with_data_comes_after_a_resume_and_again_if_it_is_not_acknowledged() {
    let (encoded, begun, gate) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicUsize::new(0)),
        Arc::new(Semaphore::new(0)),
    );
    let zo = Zocket::builder().build();
    let bid = {
        let (encoded, begun, gate) = (encoded.clone(), begun.clone(), gate.clone());
        move |_: Context<()>| {
            let (encoded, begun, gate) = (encoded.clone(), begun.clone(), gate.clone());
            async move {
                begun.fetch_add(1, Ordering::SeqCst);
                gate.acquire().await.unwrap().forget();
                Err::<(), _>(Error::refuse(Outbid(encoded)))
            }
        }
    };
    let bid = zo.message().refuses::<Outbid>().handle(bid);
    let service = zo.serve(zo.router().incoming("bid", bid));
    let mut ann = Peer::connected(&service, "").await;
    ann.call("bid", json!(null), 1).await;
    until(|| begun.load(Ordering::SeqCst) == 1).await;
    ann.cut();
    gate.add_permits(1);
    let refused = json!({
        "type": "__rpc_err",
        "rpcId": 1,
        "error": { "code": "OUTBID", "message": "refused with OUTBID", "data": { "least": 1_103 } },
    });
    assert!(ann.connect().await);
    assert_eq!(ann.next().await, refused);
    // As if the frame had been lost with the socket.
    ann.cut();
    ann.received -= 1;
    assert!(ann.connect().await);
    assert_eq!(ann.next().await, refused);
    assert_eq!(encoded.load(Ordering::SeqCst), 1);
}
