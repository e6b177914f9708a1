//! Middleware that repeats a call: retry and hedge.

use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};
use tower::{Service, ServiceBuilder, ServiceExt, buffer::Buffer, hedge, hedge::Hedge, retry::Policy};
use zocket::{
    Code, Error,
    client::{CallError, CallOptions, Sent},
};

use super::{
    super::{
        hasty,
        servers::{Mortal, Port},
        soon, status,
        world::{Post, World, text},
    },
    site::{Bid, Price, Site, Step, bid},
};

/// Repeats a call that the server has not handled, at most so many times.
#[derive(Clone)]
struct Repeat(u32);

impl<M: Clone, A> Policy<M, A, CallError> for Repeat {
    type Future = Sleep;

    fn retry(&mut self, _: &mut M, result: &mut Result<A, CallError>) -> Option<Sleep> {
        let delay = result.as_ref().err()?.repeat_after()?;
        self.0 = self.0.checked_sub(1)?;
        Some(sleep(delay))
    }

    fn clone_request(&mut self, message: &M) -> Option<M> {
        Some(message.clone())
    }
}

async fn repeated(site: &Site, times: u32) -> Result<Price, CallError> {
    repeated_with(CallOptions::default(), site, times).await
}

async fn repeated_with(options: CallOptions, site: &Site, times: u32) -> Result<Price, CallError> {
    let service = site.client().await.service::<Bid>().with_options(options);
    let service = ServiceBuilder::new().retry(Repeat(times)).service(service);
    soon(service.oneshot(bid(1))).await
}

fn refuse(code: Code) -> Step {
    Step::Refuse(Error::new(code, "as the test wants it"))
}

#[tokio::test]
async fn a_retry_repeats_a_call_that_an_overloaded_server_refused() {
    let site = Site::open([refuse(Code::OVERLOADED), refuse(Code::OVERLOADED)]).await;
    assert_eq!(repeated(&site, 2).await.unwrap().attempt, 3);
    let site = Site::open([refuse(Code::OVERLOADED), refuse(Code::OVERLOADED)]).await;
    let error = repeated(&site, 1).await.unwrap_err();
    assert!(error.refusal().unwrap().is(Code::OVERLOADED), "{error}");
}

#[tokio::test]
async fn a_retry_waits_as_long_as_a_quota_demands() {
    let delay = Duration::from_millis(60);
    let site = Site::open([Step::Refuse(Error::too_many_requests(delay))]).await;
    let began = Instant::now();
    assert_eq!(repeated(&site, 1).await.unwrap().attempt, 2);
    assert!(began.elapsed() >= delay);
}

#[tokio::test]
async fn a_retry_repeats_neither_other_refusals_nor_what_the_server_may_have_handled() {
    let site = Site::open([refuse(Code::CONFLICT)]).await;
    let error = repeated(&site, 3).await.unwrap_err();
    assert!(error.refusal().unwrap().is(Code::CONFLICT), "{error}");
    assert_eq!(site.begun(), 1);
    let site = Site::open([Step::Wait]).await;
    let short = CallOptions::default().timeout(Duration::from_millis(50));
    let error = repeated_with(short, &site, 3).await.unwrap_err();
    let timed_out = matches!(error, CallError::Timeout { sent: Sent::Unknown });
    assert!(timed_out, "{error}");
    assert_eq!(site.begun(), 1);
}

#[tokio::test]
async fn a_retry_repeats_an_unsent_call_once_there_is_a_connection() {
    let (port, world) = (Port::new(), World::default());
    let server = Mortal::serve(&world, &port).await;
    let client = hasty(port.url("name=bot")).connect().await.unwrap();
    let impatient = CallOptions::default().wait_for_connection(false);
    let service = client.service::<Post>().with_options(impatient);
    let mut service = ServiceBuilder::new()
        .retry(Repeat(1))
        .service(service.map_request(|word: String| text(word)));
    service.ready().await.unwrap();
    server.die().await;
    status(&client, |status| !status.is_open()).await;
    // The first attempt fails at once. The retry waits for readiness before the second.
    let call = tokio::spawn(service.call("again".to_owned()));
    let server = Mortal::serve(&world, &port).await;
    assert_eq!(soon(call).await.unwrap().unwrap().length, 5);
    server.die().await;
}

/// Permits a second attempt of each call.
#[derive(Clone)]
struct Always;

impl<M: Clone> hedge::Policy<M> for Always {
    fn clone_request(&self, message: &M) -> Option<M> {
        Some(message.clone())
    }

    fn can_retry(&self, _: &M) -> bool {
        true
    }
}

#[tokio::test]
async fn a_hedge_returns_the_answer_of_the_faster_attempt() {
    let site = Site::open([Step::Wait]).await;
    let service = site.client().await.service::<Bid>();
    let minute = Duration::from_secs(60);
    let hedge = Hedge::new_with_mock_latencies::<Bid>(service, Always, 10, 0.9, minute, &[10; 10]);
    // `Hedge` is not `Clone`. The clones of a buffer share what it has measured.
    let hedge = Buffer::new(hedge, 4);
    assert_eq!(soon(hedge.clone().oneshot(bid(1))).await.unwrap().attempt, 2);
    assert_eq!(site.begun(), 2);
}
