//! `wss://`, by rustls, over HTTP/1.1 and HTTP/2: `cargo run --example tls --features http2`.
//!
//! `CERT` and `KEY` name PEM files. Without them, the program creates a self-signed certificate for `localhost`, and
//! writes it to `target/localhost.pem`, for clients to trust.

use std::{env, error::Error, fs, sync::Arc, time::Duration};

use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::{net::TcpListener, time::timeout};
use tokio_rustls::TlsAcceptor;
use zocket::{ClientId, Context, NoHeaders, Zocket};

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn identity() -> Result<Identity, Box<dyn Error>> {
    if let (Ok(cert), Ok(key)) = (env::var("CERT"), env::var("KEY")) {
        let chain = CertificateDer::pem_file_iter(cert)?.collect::<Result<_, _>>()?;
        return Ok((chain, PrivateKeyDer::from_pem_file(key)?));
    }
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()])?;
    fs::create_dir_all("target")?;
    fs::write("target/localhost.pem", cert.pem())?;
    Ok((
        vec![cert.der().clone()],
        PrivateKeyDer::try_from(signing_key.serialize_der())?,
    ))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().init();
    let zo = Zocket::builder()
        .on_connect(async |_: NoHeaders, _: ClientId| Ok(()))
        .build();
    let ping = zo.message().handle(async |_: Context<()>| Ok("pong".to_owned()));
    let service = zo.serve(zo.router().incoming("ping", ping));

    let (chain, key) = identity()?;
    // The provider is explicit, since a program with two of them among its dependencies has no default.
    let mut tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(tls));

    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(10));
    // RFC 8441: clients open a WebSocket over HTTP/2 only if the server enables this.
    http.http2()
        .timer(TokioTimer::new())
        .enable_connect_protocol()
        .keep_alive_interval(Duration::from_secs(20));

    let addr = env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(&addr).await?;
    tracing::info!("listening on {}", listener.local_addr()?);
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "can't accept");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        stream.set_nodelay(true)?;
        let (acceptor, http) = (acceptor.clone(), http.clone());
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            let Ok(Ok(stream)) = timeout(Duration::from_secs(10), acceptor.accept(stream)).await else {
                return tracing::debug!("no TLS handshake");
            };
            let connection = http.serve_connection_with_upgrades(TokioIo::new(stream), service);
            if let Err(error) = connection.await {
                tracing::debug!(error, "HTTP connection ended");
            }
        });
    }
}
