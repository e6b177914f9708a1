//! The baseline for accepting: a bare hyper server that answers the upgrade, then reads until the end.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncReadExt;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use zocket_field::listen;

async fn upgrade(request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, Infallible> {
    let mut response = Response::new(Empty::new());
    let Some(key) = request.headers().get(SEC_WEBSOCKET_KEY) else {
        *response.status_mut() = StatusCode::UPGRADE_REQUIRED;
        return Ok(response);
    };
    let accept = derive_accept_key(key.as_bytes());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, "Upgrade".parse().expect("a value"));
    headers.insert(UPGRADE, "websocket".parse().expect("a value"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept.parse().expect("base64 is a value"));
    tokio::spawn(async move {
        let Ok(io) = hyper::upgrade::on(request).await else {
            return;
        };
        let mut io = TokioIo::new(io);
        let mut buffer = [0; 1_024];
        while io.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
    });
    Ok(response)
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = listen()?;
    let http = http1::Builder::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        stream.set_nodelay(true)?;
        tokio::spawn(
            http.serve_connection(TokioIo::new(stream), service_fn(upgrade))
                .with_upgrades(),
        );
    }
}
