//! A chat with rooms: `cargo run --example chat`, then open <http://127.0.0.1:3000> in two windows. `ADDR=0.0.0.0:8080`
//! sets the address. `-- --export DIR` writes the client's files into a folder and exits, and `-- --export-react DIR`
//! writes those for React.

mod rooms;

use std::{env, error::Error, time::Duration};

use axum::{Router, response::Html, routing::get};
use tokio::signal::unix::{SignalKind, signal};
use tower_http::trace::{DefaultOnResponse, TraceLayer};
use tracing_subscriber::EnvFilter;
use zocket::{Limits, contract::Info, server};

/// Resolves on Ctrl-C or SIGTERM.
async fn asked_to_stop() {
    let mut terminate = signal(SignalKind::terminate()).expect("no runtime to wait for signals");
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();

    let addr = env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let zo = rooms::app(Limits::default());
    match env::args().collect::<Vec<_>>().as_slice() {
        [] | [_] => {}
        [_, flag, folder] if flag == "--export" => {
            let info = Info::new("Zocket chat", env!("CARGO_PKG_VERSION"));
            return Ok(rooms::router(&zo).contract().export_all(folder, &info)?);
        }
        [_, flag, folder] if flag == "--export-react" => {
            return Ok(rooms::router(&zo).contract().export_react(folder)?);
        }
        [_, given @ ..] => {
            return Err(format!(
                "expected no arguments, `--export DIR` or `--export-react DIR`, got `{}`",
                given.join(" ")
            )
            .into());
        }
    }
    let router = rooms::router(&zo);
    let pages = Router::new()
        .route("/", get(async || Html(include_str!("page.html"))))
        .route_service("/zocket.js", router.contract().client_files())
        .route_service("/ws", zo.serve(router))
        // Logs only the path, since a query may contain secrets.
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(|request: &axum::extract::Request| {
                    tracing::info_span!("http", method = %request.method(), path = request.uri().path())
                })
                .on_response(DefaultOnResponse::new().level(tracing::Level::DEBUG)),
        );

    let listener = server::listen(&addr).await;
    let listener = listener.map_err(|error| format!("can't listen on ADDR={addr}: {error}"))?;
    tracing::info!("chat on http://{}", listener.local_addr()?);
    server::serve_until(listener, pages, asked_to_stop()).await;
    let cut = zo.shutdown(Duration::from_secs(5)).await;
    tracing::info!(cut, "stopped");
    Ok(())
}
