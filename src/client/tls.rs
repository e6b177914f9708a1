//! The default TLS configuration.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, crypto::ring};

use super::BuildError;

/// Returns a configuration that trusts the operating system's roots. The crypto provider is named explicitly: a program
/// with two providers among its dependencies would otherwise have to install one for the whole process.
pub(super) fn trusting_system_roots() -> Result<Arc<ClientConfig>, BuildError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(found.certs);
    if usable == 0 {
        let problems: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
        let problems = problems.join("; ");
        return Err(BuildError::Tls(format!(
            "no roots among the system's certificates: {problems}"
        )));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| BuildError::Tls(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
