//! TLS for listeners and destinations: rustls with ring, TLS 1.2 and 1.3, certificates from files.
//!
//! The files are read again when they change, so that a certificate is replaced without a restart and without a
//! failed request. Never accepts what it cannot verify: there is no switch for that.

mod client;
mod server;
#[cfg(test)]
pub mod testing;
mod trouble;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

pub use client::{Client, ClientFiles};
pub use server::{Server, ServerFiles};
pub use trouble::explain;

/// Why the files cannot be used; `key` is the setting that names the culprit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    pub key: Key,
    pub message: String,
}

/// A setting of a `tls` table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Cert,
    PrivateKey,
    /// `ca_file` or `client_ca_file`.
    Ca,
    ServerName,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Unusable {}

impl Key {
    fn unusable(self, message: impl Into<String>) -> Unusable {
        Unusable { key: self, message: message.into() }
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn certificates(path: &Path, key: Key) -> Result<Vec<CertificateDer<'static>>, Unusable> {
    let wrong =
        |error: &dyn fmt::Display| key.unusable(format!("{} cannot be read: {error}", path.display()));
    let all: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error))?.collect();
    let all = all.map_err(|error| wrong(&error))?;
    if all.is_empty() {
        return Err(key.unusable(format!("{} holds no certificate; PEM is expected", path.display())));
    }
    Ok(all)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Unusable> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| {
        Key::PrivateKey.unusable(format!("{}: no private key in PEM could be read: {error}", path.display()))
    })
}

fn roots(path: &Path) -> Result<RootCertStore, Unusable> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path, Key::Ca)? {
        roots
            .add(certificate)
            .map_err(|error| Key::Ca.unusable(format!("{}: not a CA: {error}", path.display())))?;
    }
    Ok(roots)
}

/// The certificate or its key: rustls says that they do not belong together, or what else is wrong with them.
fn pair(cert: &Path, key: &Path, error: &rustls::Error) -> Unusable {
    let (cert, key) = (cert.display(), key.display());
    Key::PrivateKey.unusable(match error {
        rustls::Error::InconsistentKeys(_) => format!("the key in {key} does not belong to {cert}"),
        other => format!("{cert} and {key} cannot be used: {other}"),
    })
}
