use std::{future::pending, net::SocketAddr, pin::pin, time::Duration};

use futures_util::future::{Either, select};
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

use super::{PeerAddr, accept, http1};

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
    let http = http1();
    let (stopping, stopped) = watch::channel(());
    let mut stop = pin!(stop);
    loop {
        let (stream, peer) = match select(pin!(accept(&listener)), stop.as_mut()).await {
            Either::Left((accepted, _)) => accepted,
            Either::Right(_) => break,
        };
        tokio::spawn(serve_connection(
            http.clone(),
            stream,
            peer,
            service.clone(),
            stopped.clone(),
        ));
    }
    drop((listener, stopped));
    let _ = stopping.send(());
    let _ = timeout(STOP_WITHIN, stopping.closed()).await;
}

async fn serve_connection<S, B>(
    http: Builder,
    stream: TcpStream,
    peer: SocketAddr,
    service: S,
    mut stopped: watch::Receiver<()>,
) where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let service = MapRequest::new(service, move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(PeerAddr(peer));
        request
    });
    let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    // WebSockets need upgrades.
    let mut connection = pin!(connection.with_upgrades());
    let ended = match select(connection.as_mut(), pin!(stopped.changed())).await {
        Either::Left((ended, _)) => ended,
        Either::Right(_) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "HTTP connection ended");
    }
}
