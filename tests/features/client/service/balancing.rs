//! Middleware that picks one of several clients: balance and steer.

use std::{sync::Arc, time::Duration};

use tower::{
    Service, ServiceExt,
    balance::p2c::Balance,
    buffer::Buffer,
    discover::ServiceList,
    load::{CompleteOnResponse, Load, PeakEwma, PendingRequests},
    steer::Steer,
};
use zocket::client::{CallError, CallService};

use super::{
    super::{
        begins, hasty,
        servers::{Mortal, Port},
        soon, status,
        world::{Post, World, text},
    },
    site::{Bid, Site, Step, Wakes, bid},
};

fn pending<M>(service: CallService<M>) -> PendingRequests<CallService<M>> {
    PendingRequests::new(service, CompleteOnResponse::default())
}

fn ewma<M>(service: CallService<M>) -> PeakEwma<CallService<M>> {
    let (rtt, decay) = (Duration::from_millis(1), Duration::from_secs(10));
    PeakEwma::new(
        service,
        rtt,
        decay.as_nanos() as f64,
        CompleteOnResponse::default(),
    )
}

/// Each of the two servers keeps one call waiting, and then the balance has to choose by load.
async fn avoids_the_busy_client<S>(load: impl Fn(CallService<Bid>) -> S)
where
    S: Service<Bid, Response = super::site::Price, Error = CallError> + Load<Metric: std::fmt::Debug>,
    S::Future: Unpin,
{
    let sites = [Site::open([Step::Wait]).await, Site::open([Step::Wait]).await];
    let services = [sites[0].client().await, sites[1].client().await].map(|client| load(client.service()));
    let mut balance = Balance::new(ServiceList::new::<Bid>(services));
    let mut first = Box::pin(balance.ready().await.unwrap().call(bid(1)));
    assert!(begins(&mut first).await);
    // The less loaded one of two is chosen, so the second call reaches the other server.
    let mut second = Box::pin(balance.ready().await.unwrap().call(bid(2)));
    assert!(begins(&mut second).await);
    for site in &sites {
        site.wait_for_handlers(1).await;
    }
    sites[0].release_one();
    sites[1].release_one();
    soon(first).await.unwrap();
    soon(second).await.unwrap();
}

#[tokio::test]
async fn balance_picks_the_client_with_fewer_pending_calls() {
    avoids_the_busy_client(pending).await;
}

#[tokio::test]
async fn balance_picks_the_client_with_the_lower_peak_ewma() {
    avoids_the_busy_client(ewma).await;
}

#[tokio::test]
async fn balance_does_not_choose_a_disconnected_client_until_it_is_back() {
    let (ports, worlds) = ([Port::new(), Port::new()], [World::default(), World::default()]);
    let one = Mortal::serve(&worlds[0], &ports[0]).await;
    let other = Mortal::serve(&worlds[1], &ports[1]).await;
    let mut clients = Vec::new();
    for port in &ports {
        clients.push(hasty(port.url("name=bot")).connect().await.unwrap());
    }
    let services = clients.iter().map(|client| pending(client.service()));
    let mut balance = Balance::new(ServiceList::new::<Post>(services));
    // Both are in the set of the ready ones.
    balance.ready().await.unwrap();

    one.die().await;
    status(&clients[0], |status| !status.is_open()).await;
    for _ in 0..10 {
        // A call by the disconnected client would wait for ever.
        soon(balance.ready().await.unwrap().call(text("other")))
            .await
            .unwrap();
    }
    other.die().await;
    status(&clients[1], |status| !status.is_open()).await;
    let task = Arc::new(Wakes::default());
    assert!(task.poll_ready(&mut balance).is_pending());

    let one = Mortal::serve(&worlds[0], &ports[0]).await;
    soon(soon(balance.ready()).await.unwrap().call(text("one")))
        .await
        .unwrap();
    assert!(clients[0].status().is_open());
    one.die().await;
}

#[tokio::test]
async fn balance_drops_a_closed_client() {
    let sites = [Site::open([]).await, Site::open([]).await];
    let clients = [sites[0].client().await, sites[1].client().await];
    let services = clients.each_ref().map(|client| pending(client.service()));
    let mut balance = Balance::new(ServiceList::new::<Bid>(services));
    balance.ready().await.unwrap();
    clients[0].close().await;
    for _ in 0..10 {
        soon(balance.ready().await.unwrap().call(bid(1))).await.unwrap();
    }
    assert_eq!(balance.len(), 1);
    // `Balance` is not `Clone`. The clones of a buffer share it.
    let shared = Buffer::new(balance, 4);
    soon(shared.clone().oneshot(bid(1))).await.unwrap();
    assert_eq!([sites[0].begun(), sites[1].begun()], [0, 11]);
}

#[tokio::test]
async fn steer_chooses_the_client_by_the_message() {
    let sites = [Site::open([]).await, Site::open([]).await];
    let services = [sites[0].client().await, sites[1].client().await].map(|client| client.service::<Bid>());
    let mut steer = Steer::new(services, |bid: &Bid, _: &[_]| usize::from(bid.cents >= 100));
    for cents in [1, 100, 200] {
        steer.ready().await.unwrap().call(bid(cents)).await.unwrap();
    }
    assert_eq!([sites[0].begun(), sites[1].begun()], [1, 2]);
}

#[tokio::test]
async fn steer_waits_until_all_of_its_clients_are_connected() {
    let (site, port) = (Site::open([]).await, Port::new());
    let connecting = hasty(port.url("")).start().unwrap();
    let services = [site.client().await, connecting.clone()].map(|client| client.service::<Bid>());
    let mut steer = Steer::new(services, |_: &Bid, _: &[_]| 0);
    let task = Arc::new(Wakes::default());
    assert!(task.poll_ready(&mut steer).is_pending());
    connecting.close().await;
    let error = soon(steer.ready()).await.err().unwrap();
    assert!(matches!(error, CallError::Closed), "{error}");
}
