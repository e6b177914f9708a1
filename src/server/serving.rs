use std::{
    future::{pending, poll_fn},
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use futures_util::future::{AbortHandle, Abortable, Either, select};
use http::{Request, Response};
use hyper::{
    body::{Body, Incoming},
    server::conn::http1::Builder,
};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};
use tower::{BoxError, Service, util::MapRequest};

use super::{
    PeerAddr, http1,
    listener::accept_or,
    silent::{Peer, SilentConnections},
};

/// Time for requests in progress to be answered once the server stops.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// Serves HTTP/1.1 on a listener, without end: see [`serve_until`].
pub async fn serve<S, B>(listener: TcpListener, service: S)
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    serve_until(listener, service, pending()).await;
}

/// Serves HTTP/1.1 on a listener until `stop` resolves. Then no connection is accepted, requests in progress are
/// answered within 5 s, and the function returns. WebSockets are not affected:
/// [`Zocket::shutdown`](crate::Zocket::shutdown) closes them.
///
/// Each connection has a clone of the service, in a task of its own. Requests have [`PeerAddr`] in their extensions.
pub async fn serve_until<S, B>(listener: TcpListener, service: S, stop: impl Future<Output = ()>)
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    serve_within(SilentConnections::default(), listener, service, stop).await;
}

async fn serve_within<S, B>(
    silent: SilentConnections,
    listener: TcpListener,
    service: S,
    stop: impl Future<Output = ()>,
) where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let (http, silent) = (http1(), Arc::new(silent));
    let (stopping, stopped) = watch::channel(());
    let mut stop = pin!(stop);
    loop {
        let accepting = pin!(accept_or(&listener, || silent.make_room()));
        let (stream, peer) = match select(accepting, stop.as_mut()).await {
            Either::Left((accepted, _)) => accepted,
            Either::Right(_) => break,
        };
        let (task, registration) = AbortHandle::new_pair();
        let connection = Connection {
            http: http.clone(),
            stream,
            addr: peer,
            peer: Arc::new(silent.accepted(peer.ip())),
            task,
        };
        let serving = connection.serve(service.clone(), stopped.clone());
        tokio::spawn(Abortable::new(serving, registration));
    }
    drop((listener, stopped));
    let _ = stopping.send(());
    let _ = timeout(STOP_WITHIN, stopping.closed()).await;
}

/// A connection that was accepted.
struct Connection {
    http: Builder,
    stream: TcpStream,
    addr: SocketAddr,
    peer: Arc<Peer>,
    /// Aborts the task of the connection.
    task: AbortHandle,
}

impl Connection {
    async fn serve<S, B>(self, service: S, mut stopped: watch::Receiver<()>)
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
        B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        let Self {
            http,
            stream,
            addr,
            peer,
            task,
        } = self;
        let speaking = peer.clone();
        let service = MapRequest::new(service, move |mut request: Request<Incoming>| {
            speaking.speaks();
            request.extensions_mut().insert(PeerAddr(addr));
            request
        });
        let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        // WebSockets need upgrades.
        let mut connection = pin!(connection.with_upgrades());
        // A request that arrived together with the connection is read before the connection counts as silent.
        let first = poll_fn(|cx| Poll::Ready(connection.as_mut().poll(cx))).await;
        let ended = match first {
            Poll::Ready(ended) => ended,
            Poll::Pending => {
                peer.is_silent(task);
                match select(connection.as_mut(), pin!(stopped.changed())).await {
                    Either::Left((ended, _)) => ended,
                    Either::Right(_) => {
                        connection.as_mut().graceful_shutdown();
                        connection.await
                    }
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "HTTP connection ended");
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a helper of a test may panic as a test may")]

    use std::{convert::Infallible, net::Ipv4Addr};

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpSocket,
    };
    use tower::service_fn;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// Connects from this loopback address. Linux has all of 127.0.0.0/8.
    async fn connect(last: u8, server: SocketAddr) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::new(127, 0, 0, last), 0).into()).unwrap();
        socket.connect(server).await.unwrap()
    }

    /// Sends a request, and returns the beginning of the answer. It is empty if the server has hung up.
    async fn ask(mut stream: TcpStream) -> Vec<u8> {
        let mut answer = vec![0; "HTTP/1.1 204".len()];
        let asking = async {
            stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await?;
            stream.read_exact(&mut answer).await
        };
        match timeout(PATIENCE, asking).await.expect("no answer") {
            Ok(_) => answer,
            Err(_) => Vec::new(),
        }
    }

    #[tokio::test]
    async fn silent_peers_of_many_addresses_are_bounded_together() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let empty = service_fn(async |_: Request<Incoming>| {
            let mut response = Response::new(String::new());
            *response.status_mut() = http::StatusCode::NO_CONTENT;
            Ok::<_, Infallible>(response)
        });
        let silent = SilentConnections::new(20, 3);
        tokio::spawn(serve_within(silent, listener, empty, pending()));
        let mut peers = Vec::new();
        for last in 1..=40 {
            peers.push(connect(last, addr).await);
            // A client that speaks is answered in between, and counts no more.
            assert_eq!(ask(connect(1, addr).await).await, b"HTTP/1.1 204");
        }
        for (number, mut peer) in peers.into_iter().enumerate() {
            if number < 20 {
                let mut scratch = [0];
                let read = timeout(PATIENCE, peer.read(&mut scratch)).await;
                assert_eq!(read.expect("it is not closed").unwrap_or(0), 0, "{number}");
            } else if number > 20 {
                // The peer between them may have made way for the last client, which was silent for a moment, too.
                assert_eq!(ask(peer).await, b"HTTP/1.1 204", "{number}");
            }
        }
    }
}
