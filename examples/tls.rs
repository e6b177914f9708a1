//! `wss://`, by rustls, over HTTP/1.1 and HTTP/2: `cargo run --example tls --features http2`.
//!
//! `CERT` and `KEY` name PEM files. Without them, the program creates a self-signed certificate for `localhost` and
//! 127.0.0.1, and writes it to `target/localhost.pem`, for clients to trust.

use std::{env, error::Error, fs, sync::Arc, time::Duration};

use hyper::server::conn::http2;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use zocket::{ClientId, Context, NoHeaders, Zocket, server};

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn identity() -> Result<Identity, Box<dyn Error>> {
    if let (Ok(cert), Ok(key)) = (env::var("CERT"), env::var("KEY")) {
        let chain = CertificateDer::pem_file_iter(cert)?.collect::<Result<_, _>>()?;
        return Ok((chain, PrivateKeyDer::from_pem_file(key)?));
    }
    let names = ["localhost", "127.0.0.1"].map(str::to_owned);
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names)?;
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

    let http1 = server::http1();
    // RFC 8441: clients open a WebSocket over HTTP/2 only if the server enables this.
    let mut http2 = http2::Builder::new(TokioExecutor::new());
    http2
        .timer(TokioTimer::new())
        .enable_connect_protocol()
        .max_header_list_size(server::MAX_HEAD as u32)
        .keep_alive_interval(Duration::from_secs(20));

    let addr = env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = server::listen(addr).await?;
    tracing::info!("listening on {}", listener.local_addr()?);
    loop {
        let (stream, _) = server::accept(&listener).await;
        let (acceptor, http1, http2) = (acceptor.clone(), http1.clone(), http2.clone());
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            let Ok(Ok(stream)) = timeout(server::HEAD_TIMEOUT, acceptor.accept(stream)).await else {
                return tracing::debug!("no TLS handshake");
            };
            let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            let stream = TokioIo::new(stream);
            let ended = match is_http2 {
                true => http2.serve_connection(stream, service).await,
                false => http1.serve_connection(stream, service).with_upgrades().await,
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "HTTP connection ended");
            }
        });
    }
}
