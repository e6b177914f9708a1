//! Apps on two nodes, with clients over real frames.

use std::{collections::BTreeSet, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use tower::timeout::TimeoutLayer;
use zocket::{
    Context, Error, Outgoing, Zocket,
    cluster::{NatsHub, NatsOptions},
    testing::TestApp,
};

use crate::{member::PATIENCE, nats::Nats};

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Said(u32);

impl Outgoing for Said {
    const TYPE: &'static str = "said";
}

/// Starts an app on a node of its own.
async fn app(nats: &Nats) -> TestApp {
    let options = NatsOptions::default().layer(TimeoutLayer::new(Duration::from_secs(5)));
    let hub = NatsHub::connect(&*nats.url(), options).await.unwrap();
    let zo = Zocket::builder().hub(hub).build();
    let join = zo
        .message()
        .handle(async |cx: Context<()>| cx.rooms().join("lobby"));
    let say = zo.message().handle(async |cx: Context<()>| -> Result<(), Error> {
        for number in 0..100 {
            cx.send(Said(number)).to_room("lobby");
        }
        Ok(())
    });
    let size = zo
        .message()
        .handle(async |cx: Context<()>| -> Result<usize, Error> { Ok(cx.rooms().size("lobby").await) });
    let members = zo
        .message()
        .handle(async |cx: Context<()>| -> Result<BTreeSet<String>, Error> {
            let members = cx.rooms().members("lobby").await;
            Ok(members.iter().map(ToString::to_string).collect())
        });
    let router = zo
        .router()
        .outgoing::<Said>()
        .incoming("join", join)
        .incoming("say", say)
        .incoming("size", size)
        .incoming("members", members);
    TestApp::new(zo.serve(router))
}

#[tokio::test]
async fn clients_of_two_apps_share_a_room() {
    let nats = Nats::start().await;
    let (a, b) = (app(&nats).await, app(&nats).await);
    let mut ann = a.connect(&()).await.unwrap();
    let mut bob = b.connect(&()).await.unwrap();
    ann.call_route::<()>("join", &()).await.unwrap();
    bob.call_route::<()>("join", &()).await.unwrap();
    ann.call_route::<()>("say", &()).await.unwrap();
    for number in 0..100 {
        assert_eq!(ann.expect::<Said>().await, Said(number));
        assert_eq!(bob.expect::<Said>().await, Said(number));
    }
    let members = bob.call_route::<BTreeSet<String>>("members", &()).await.unwrap();
    let expected = [ann.client_id(), bob.client_id()].map(|id| id.to_string());
    assert_eq!(members, expected.into());
    let both = async { while ann.call_route::<usize>("size", &()).await.unwrap() != 2 {} };
    timeout(PATIENCE, both).await.expect("the size is not told");
}
