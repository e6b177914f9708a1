//! A service's calls: they behave as those of its client.

use std::{collections::HashMap, time::Duration};

use serde::{Serialize, de::DeserializeOwned};
use tower::{BoxError, Service, ServiceBuilder, ServiceExt, limit::GlobalConcurrencyLimitLayer};
use zocket::{
    Code, Incoming,
    client::{CallError, CallOptions, Client, Sent},
};

use super::{
    super::{
        begins,
        servers::{Mortal, Port},
        soon, status,
        world::{Post, Posted, World, text},
    },
    site::{Bid, Price, Site, Step, Wakes, bid},
};

#[tokio::test]
async fn a_service_calls_the_route_of_its_message_and_answers_in_its_type() {
    let site = Site::open([]).await;
    let mut bids = site.client().await.service::<Bid>();
    let price = bids.ready().await.unwrap().call(bid(7)).await.unwrap();
    assert_eq!(price, Price { cents: 7, attempt: 1 });
    let error = bids.ready().await.unwrap().call(bid(0)).await.unwrap_err();
    assert!(error.refusal().unwrap().is(Code::BAD_REQUEST), "{error}");
}

#[derive(Serialize)]
struct Ill(HashMap<(u8, u8), u8>);

impl Incoming for Ill {
    const TYPE: &'static str = "lot.bid";
    type Answer = ();
}

#[derive(Serialize)]
struct Foreign {
    cents: u64,
}

impl Incoming for Foreign {
    const TYPE: &'static str = "lot.bid";
    type Answer = String;
}

#[tokio::test]
async fn a_message_or_an_answer_of_another_shape_fails_its_call_alone() {
    let site = Site::open([]).await;
    let client = site.client().await;
    let ill = Ill(HashMap::from([((1, 2), 3)]));
    let error = client.service::<Ill>().oneshot(ill).await.unwrap_err();
    assert!(matches!(error, CallError::Encode(_)), "{error}");
    assert_eq!(site.begun(), 0);
    let foreign = Foreign { cents: 1 };
    let error = client.service::<Foreign>().oneshot(foreign).await.unwrap_err();
    assert!(matches!(error, CallError::Decode(_)), "{error}");
    assert_eq!(client.service().oneshot(bid(1)).await.unwrap().attempt, 2);
}

#[tokio::test]
async fn a_services_options_are_those_of_its_calls() {
    let site = Site::open([Step::Wait, Step::Wait]).await;
    let short = CallOptions::default().timeout(Duration::from_millis(20));
    let builder = site.builder().call_timeout(Duration::from_millis(30));
    let client = builder.connect().await.unwrap();
    for service in [client.service(), client.service().with_options(short)] {
        let error = service.oneshot(bid(1)).await.unwrap_err();
        let timed_out = matches!(error, CallError::Timeout { sent: Sent::Unknown });
        assert!(timed_out, "{error}");
    }
    let long = CallOptions::default().timeout(Duration::from_secs(60));
    let patient = client.service().with_options(long);
    assert_eq!(patient.oneshot(bid(1)).await.unwrap().attempt, 3);
}

/// Connects to a server, readies two services, and ends the server.
async fn broken_after_readiness(
    port: &Port,
    world: &World,
) -> (
    Client,
    Vec<impl Service<Post, Response = Posted, Error = CallError>>,
) {
    let server = Mortal::serve(world, port).await;
    let client = super::super::hasty(port.url("name=bot")).connect().await.unwrap();
    let impatient = CallOptions::default().wait_for_connection(false);
    let mut services = vec![
        client.service::<Post>(),
        client.service::<Post>().with_options(impatient),
    ];
    for service in &mut services {
        service.ready().await.unwrap();
    }
    server.die().await;
    status(&client, |status| !status.is_open()).await;
    (client, services)
}

#[tokio::test]
async fn a_call_after_a_break_waits_for_the_next_connection_unless_told_otherwise() {
    let (port, world) = (Port::new(), World::default());
    let (_client, mut services) = broken_after_readiness(&port, &world).await;
    let mut patient = Box::pin(services[0].call(text("patient")));
    assert!(begins(&mut patient).await);
    let error = services[1].call(text("impatient")).await.err().unwrap();
    let unsent = matches!(error, CallError::Disconnected { sent: Sent::No });
    assert!(unsent, "{error}");
    let server = Mortal::serve(&world, &port).await;
    assert_eq!(soon(patient).await.unwrap().length, "patient".len());
    server.die().await;
}

#[tokio::test]
async fn a_ready_service_holds_no_place_of_its_clients_calls() {
    let site = Site::open([Step::Wait]).await;
    let client = site.builder().max_calls(1).connect().await.unwrap();
    let wakes = std::sync::Arc::new(Wakes::default());
    let mut ready = [client.service::<Bid>(), client.service::<Bid>()];
    for service in &mut ready {
        assert!(wakes.poll_ready(service).is_ready());
    }
    // The place is free for a third one.
    let mut first = client.service::<Bid>().oneshot(bid(1));
    assert!(begins(&mut first).await);
    site.wait_for_handlers(1).await;
    // The services are ready still, and their calls wait for the place.
    assert!(wakes.poll_ready(&mut ready[0]).is_ready());
    let mut second = ready[0].call(bid(2));
    assert!(begins(&mut second).await);
    site.release_one();
    assert_eq!(soon(first).await.unwrap().attempt, 1);
    assert_eq!(soon(second).await.unwrap().attempt, 2);
}

/// A stack for the messages of any type, that tasks can share.
fn stack<M>(
    client: &Client,
    limit: &GlobalConcurrencyLimitLayer,
) -> impl Service<M, Response = M::Answer, Error = BoxError, Future: Send> + Clone + Send + Sync + 'static
where
    M: Incoming<Answer: DeserializeOwned> + Serialize + 'static,
{
    ServiceBuilder::new()
        .timeout(Duration::from_secs(60))
        .layer(limit.clone())
        .service(client.service::<M>())
}

#[tokio::test]
async fn one_function_makes_the_same_stack_for_several_types_of_messages() {
    let site = Site::open([]).await;
    let (client, limit) = (site.client().await, GlobalConcurrencyLimitLayer::new(8));
    let price = stack::<Bid>(&client, &limit).oneshot(bid(1)).await.unwrap();
    assert_eq!(price.attempt, 1);
    let error = stack::<Post>(&client, &limit)
        .oneshot(text("x"))
        .await
        .unwrap_err();
    let refusal = error.downcast_ref::<CallError>().and_then(CallError::refusal);
    assert!(refusal.unwrap().is(Code::NOT_FOUND), "{error}");
}

#[tokio::test]
async fn a_service_keeps_its_connection_open() {
    let site = Site::open([]).await;
    let service = site.client().await.service::<Bid>();
    let mut statuses = service.client().statuses();
    let clone = service.clone();
    drop(service);
    assert_eq!(clone.oneshot(bid(1)).await.unwrap().attempt, 1);
    soon(statuses.wait_for(|status| status.is_closed()))
        .await
        .unwrap();
}
