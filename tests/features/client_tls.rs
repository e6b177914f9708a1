//! The client over TLS.

#![allow(clippy::unwrap_used, reason = "these are tests, and their helpers")]

use std::{error::Error, sync::Arc};

use crate::common::{Server, listen, localhost};
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig, crypto::ring, pki_types::CertificateDer,
    pki_types::PrivateKeyDer,
};
use tokio_rustls::TlsAcceptor;
use zocket::{
    ClientId, Context, NoHeaders, Zocket,
    client::{BuildError, Client, Outage},
};

/// Starts a TLS server with a self-signed certificate.
async fn serve() -> (Server, CertificateDer<'static>) {
    let names = ["localhost", "127.0.0.1"].map(str::to_owned);
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let zo = Zocket::builder()
        .on_connect(async |_: NoHeaders, _: ClientId| Ok(()))
        .build();
    let ping = zo.message().handle(async |_: Context<()>| Ok("pong".to_owned()));
    let service = zo.serve(zo.router().incoming("ping", ping));
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let server = listen(move |listener| async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                continue;
            };
            let (acceptor, service) = (acceptor.clone(), TowerToHyperService::new(service.clone()));
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                    drop(connection.with_upgrades().await);
                }
            });
        }
    })
    .await;
    (server, cert.der().clone())
}

fn url(server: &Server) -> String {
    format!("wss://{}:{}/", localhost(), server.addr.port())
}

/// Returns a TLS configuration that trusts only this certificate.
fn trust_only(certificate: CertificateDer<'static>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap();
    Arc::new(config.with_root_certificates(roots).with_no_client_auth())
}

#[tokio::test]
async fn a_client_that_trusts_the_certificate_connects() {
    let (server, certificate) = serve().await;
    let builder = Client::builder(url(&server)).tls(trust_only(certificate));
    let client = builder.connect().await.unwrap();
    let answer: String = client.call_route("ping", &()).await.unwrap();
    assert_eq!(answer, "pong");
    client.close().await;
}

#[tokio::test]
async fn an_untrusted_certificate_is_refused() {
    let (server, _) = serve().await;
    let (_, others) = serve().await;
    let outage = Client::builder(url(&server))
        .tls(trust_only(others))
        .connect()
        .await
        .unwrap_err();
    assert!(matches!(outage, Outage::Broken(_)), "{outage}");
    let source = outage.source().unwrap().to_string();
    assert!(source.contains("certificate"), "{source}");
}

#[tokio::test]
async fn the_system_roots_are_the_default() {
    let (server, _) = serve().await;
    match Client::builder(url(&server)).connect().await.unwrap_err() {
        Outage::Broken(error) => assert!(error.to_string().contains("certificate"), "{error}"),
        // A machine without root certificates.
        Outage::Build(BuildError::Tls(_)) => {}
        other => panic!("{other}"),
    }
}
