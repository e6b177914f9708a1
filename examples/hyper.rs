//! A server on hyper without axum, with its own loop and a graceful shutdown. `zocket::server::serve_until` is a shorter
//! way.
//!
//! `cargo run --example hyper`, then connect any WebSocket client to `ws://127.0.0.1:3000`:
//! `{"type":"shout","payload":"hello","rpcId":1}`. Ctrl+C or SIGTERM ends it: a call in flight is answered before.

mod stop;

use std::{env, error::Error, pin::pin, time::Duration};

use garde::Validate;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::{select, time::sleep};
use zocket::{ClientId, Context, NoHeaders, Zocket, server};

/// A non-empty text.
#[derive(Deserialize, JsonSchema, Validate)]
struct Text(#[garde(length(chars, min = 1))] String);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().init();
    let zo = Zocket::builder()
        .on_connect(async |_: NoHeaders, id: ClientId| Ok(id))
        .on_open(async |cx: Context<ClientId>| {
            tracing::info!(client = %*cx, "hello");
            Ok(())
        })
        .on_disconnect(async |cx: Context<ClientId>| tracing::info!(client = %*cx, "goodbye"))
        .build();
    let shout = zo
        .message()
        .handle(async |_: Context<ClientId>, Text(text): Text| Ok(text.to_uppercase()));
    // A call that takes its time, as a slow query does.
    let slow = zo.message().handle(async |_: Context<ClientId>| {
        sleep(Duration::from_secs(1)).await;
        Ok("done")
    });
    let service = zo.serve(zo.router().incoming("shout", shout).incoming("slow", slow));

    let addr = env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = server::listen(addr).await?;
    tracing::info!("listening on {}", listener.local_addr()?);

    // HTTP/1 only: detecting the version would wait for the first bytes without a timeout.
    let mut http = auto::Builder::new(TokioExecutor::new()).http1_only();
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(server::HEAD_TIMEOUT)
        .max_buf_size(server::MAX_HEAD);
    let requests = GracefulShutdown::new();
    let mut stop = pin!(stop::asked_to_stop());
    loop {
        let (stream, _) = select! {
            accepted = server::accept(&listener) => accepted,
            stopped = &mut stop => break stopped?,
        };
        let service = TowerToHyperService::new(service.clone());
        // WebSockets need upgrades.
        let connection = http.serve_connection_with_upgrades(TokioIo::new(stream), service);
        let connection = requests.watch(connection.into_owned());
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "HTTP connection ended");
            }
        });
    }

    // 1. No connection is accepted any more.
    drop(listener);
    // 2. At once, requests and calls in flight are answered, and each WebSocket is closed. Neither waits for the other to
    //    begin: a request may wait for its `on_connect`, which `zo.shutdown` ends, and a WebSocket is no request.
    let grace = Duration::from_secs(5);
    let (cut, _) = tokio::join!(
        zo.shutdown(grace),
        tokio::time::timeout(grace, requests.shutdown())
    );
    tracing::info!(cut, "stopped");
    Ok(())
}
