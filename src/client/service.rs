//! The client as a tower service, for one type of message.

use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context as Task, Poll, ready},
};

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use tower::Service;
use zocket_layers::{
    Incoming,
    internal::{polled_after_completion, read_json},
};

use super::{CallError, CallOptions, Client, Statuses, wire};

impl Client {
    /// Returns a tower service that calls the route of the message `M`, for tower's middleware: see [`CallService`].
    #[must_use]
    pub fn service<M: Incoming>(&self) -> CallService<M> {
        CallService {
            options: self.options(),
            client: self.clone(),
            waiting: None,
            always_ready: false,
            message: PhantomData,
        }
    }
}

/// A client as a tower service: its request is the message `M`, its response `M::Answer`. Made by [`Client::service`].
/// It is a handle of the client, so it keeps the connection open.
///
/// ```no_run
/// use serde::{Deserialize, Serialize};
/// use tower::{Service, ServiceExt};
/// use zocket::{Incoming, client::{CallError, Client}};
///
/// #[derive(Serialize)]
/// struct Bid { cents: u64 }
/// #[derive(Deserialize)]
/// struct Price { cents: u64 }
/// impl Incoming for Bid { const TYPE: &'static str = "lot.bid"; type Answer = Price; }
///
/// # async fn example(client: Client) -> Result<(), CallError> {
/// let mut bids = client.service::<Bid>();
/// let price: Price = bids.ready().await?.call(Bid { cents: 100 }).await?;
/// # drop(price.cents); Ok(()) }
/// ```
///
/// # Readiness
///
/// The service is ready while there is a connection. While there is none, it is not ready, and its caller is woken by
/// the next connection. So a load balancer chooses another client, and `load_shed` fails at once. A closed client fails
/// with [`CallError::Closed`], each time. If the connection breaks after the service was ready, its call behaves as a
/// call of the client: it waits for the next connection, unless
/// [`wait_for_connection`](CallOptions::wait_for_connection) is false.
///
/// The time-out of a call begins with the call, that of [`CallOptions`] and that of tower's `timeout` alike. Neither limits
/// the wait until the service is ready, so `ready().await` and `oneshot` wait for as long as there is no connection. With
/// [`always_ready`](Self::always_ready) the call waits instead, and both limit it:
///
/// ```no_run
/// # use std::time::Duration;
/// # use serde::Serialize;
/// # use tower::{BoxError, Service, ServiceBuilder, ServiceExt};
/// # use zocket::{Incoming, client::Client};
/// # #[derive(Serialize)]
/// # struct Bid { cents: u64 }
/// # impl Incoming for Bid { const TYPE: &'static str = "lot.bid"; type Answer = u64; }
/// # async fn example(client: Client) -> Result<(), BoxError> {
/// let bids = client.service::<Bid>().always_ready();
/// let mut bids = ServiceBuilder::new().timeout(Duration::from_secs(2)).service(bids);
/// // Fails after 2 s, even if there is no connection.
/// let price = bids.ready().await?.call(Bid { cents: 100 }).await?;
/// # drop(price); Ok(()) }
/// ```
///
/// # The number of calls
///
/// A ready service holds no place of [`Builder::max_calls`](super::Builder::max_calls). Its call waits for a place, and
/// that wait counts for the call's time-out. tower's `concurrency_limit` takes its permit in `poll_ready`. All handles
/// of a client share its places, and a service that is ready may never be called: a load balancer keeps those that it
/// did not choose, and a `filter` may refuse the message. If such services held places, they could stop every other call
/// of the client. To have callers wait before they call, put a `concurrency_limit` around the service.
pub struct CallService<M> {
    client: Client,
    options: CallOptions,
    /// The wait for a connection, which holds the waker of the last `poll_ready`. A clone has a wait of its own.
    waiting: Option<Pin<Box<dyn Future<Output = ()> + Send + Sync>>>,
    always_ready: bool,
    message: PhantomData<fn(M)>,
}

impl<M> CallService<M> {
    /// Sets the options of the calls. Without it they are those of [`Client::call`], whose time-out is the builder's.
    #[must_use]
    pub fn with_options(mut self, options: CallOptions) -> Self {
        self.options = options;
        self
    }

    /// Makes the service ready also while there is no connection, so that its calls wait for one, within their time-out.
    /// With [`wait_for_connection`](CallOptions::wait_for_connection) set to false they fail at once. A load balancer and
    /// `load_shed` then do not learn that there is no connection. The calls of a closed client fail with
    /// [`CallError::Closed`].
    #[must_use]
    pub fn always_ready(mut self) -> Self {
        self.always_ready = true;
        self
    }

    /// Returns the client that the service belongs to.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }
}

impl<M> Service<M> for CallService<M>
where
    M: Incoming + Serialize,
    M::Answer: DeserializeOwned,
{
    type Response = M::Answer;
    type Error = CallError;
    type Future = CallFuture<M::Answer>;

    fn poll_ready(&mut self, cx: &mut Task<'_>) -> Poll<Result<(), CallError>> {
        if self.always_ready {
            return Poll::Ready(Ok(()));
        }
        loop {
            if let Some(readiness) = self.client.readiness() {
                self.waiting = None;
                return Poll::Ready(readiness);
            }
            let waiting = self
                .waiting
                .get_or_insert_with(|| Box::pin(decided(self.client.statuses())));
            ready!(waiting.as_mut().poll(cx));
            // The connection may have ended since. Then the next wait begins.
            self.waiting = None;
        }
    }

    fn call(&mut self, message: M) -> Self::Future {
        let id = self.client.next_id();
        // Encoded here, so that the future is independent of the message's type.
        let frame = wire::write(M::TYPE, &message, Some(id)).map_err(CallError::Encode);
        let (client, options) = (self.client.clone(), self.options);
        CallFuture {
            answered: Some(Box::pin(async move {
                client.request(frame?, Some(id), options).await
            })),
            answer: PhantomData,
        }
    }
}

/// Waits until the client has a connection, or never will.
async fn decided(mut statuses: Statuses) {
    // Without a status, the client's task has ended.
    let _ = statuses
        .wait_for(|status| status.is_open() || status.is_closed())
        .await;
}

impl<M> Clone for CallService<M> {
    fn clone(&self) -> Self {
        Self {
            client: self.client.clone(),
            options: self.options,
            waiting: None,
            always_ready: self.always_ready,
            message: PhantomData,
        }
    }
}

impl<M: Incoming> fmt::Debug for CallService<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallService")
            .field("route", &M::TYPE)
            .field("client", &self.client)
            .field("options", &self.options)
            .field("always_ready", &self.always_ready)
            .finish_non_exhaustive()
    }
}

/// The wait for an answer.
type Answered = Pin<Box<dyn Future<Output = Result<Bytes, CallError>> + Send>>;

/// The future of a [`CallService`]. It behaves as the one of [`Client::call`]. Dropping it gives the call up.
pub struct CallFuture<A> {
    /// None once it has finished.
    answered: Option<Answered>,
    answer: PhantomData<fn() -> A>,
}

impl<A: DeserializeOwned> Future for CallFuture<A> {
    type Output = Result<A, CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Self::Output> {
        let Some(answered) = &mut self.answered else {
            polled_after_completion("CallFuture");
        };
        let answer = ready!(answered.as_mut().poll(cx));
        self.answered = None;
        Poll::Ready(answer.and_then(|answer| read_json(&answer).map_err(CallError::Decode)))
    }
}

impl<A> fmt::Debug for CallFuture<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallFuture")
            .field("finished", &self.answered.is_none())
            .finish_non_exhaustive()
    }
}
