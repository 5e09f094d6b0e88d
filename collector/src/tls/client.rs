//! The client's side of a handshake: whom we trust, and on demand a certificate of our own.

use std::path::PathBuf;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{Key, Unusable, certificates, explain, pair, private_key, provider, roots};
use crate::rotate::Rotating;

#[derive(Debug, Clone, Default)]
pub struct ClientFiles {
    /// The one authority that is trusted; without it those of this host.
    pub ca: Option<PathBuf>,
    /// Our own certificate and its key, where the server wants one.
    pub pair: Option<(PathBuf, PathBuf)>,
    /// The name that the server's certificate must have, where it is not the address's.
    pub server_name: Option<String>,
}

/// What is needed to trust one server.
#[derive(Debug)]
pub struct Client {
    config: Rotating<ClientConfig>,
    server_name: Option<ServerName<'static>>,
}

impl Client {
    /// `what` names the destination in the log; `protocol` is what is spoken inside: `h2` or `http/1.1`.
    pub fn new(what: &str, files: ClientFiles, protocol: &'static str) -> Result<Client, Unusable> {
        let server_name = match &files.server_name {
            None => None,
            Some(name) => Some(ServerName::try_from(name.clone()).map_err(|_| {
                Key::ServerName.unusable("not the name of a server; write a DNS name or an address")
            })?),
        };
        let pair = files.pair.iter().flat_map(|(cert, key)| [cert, key]);
        let watched = pair.chain(&files.ca).cloned().collect();
        let make = move || configure(&files, protocol);
        let config = Rotating::new(format!("the certificates of {what}"), watched, make)?;
        Ok(Client { config, server_name })
    }

    /// Shakes hands over `stream` with `host`. The error is a sentence.
    pub async fn connect(&self, host: &str, stream: TcpStream) -> Result<TlsStream<TcpStream>, String> {
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => ServerName::try_from(host.to_owned())
                .map_err(|_| format!("{host} is no name that a certificate can have; set server_name"))?,
        };
        let connected = TlsConnector::from(self.config.current()).connect(name, stream).await;
        connected.map_err(|error| format!("TLS: {}", explain(&error)))
    }
}

fn configure(files: &ClientFiles, protocol: &str) -> Result<ClientConfig, Unusable> {
    let trusted = match &files.ca {
        Some(path) => roots(path)?,
        None => of_this_host()?,
    };
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| Key::Ca.unusable(error.to_string()))?
        .with_root_certificates(trusted);
    let mut config = match &files.pair {
        None => builder.with_no_client_auth(),
        Some((cert, key)) => builder
            .with_client_auth_cert(certificates(cert, Key::Cert)?, private_key(key)?)
            .map_err(|error| pair(cert, key, &error))?,
    };
    config.alpn_protocols = vec![protocol.into()];
    Ok(config)
}

/// The authorities that the system trusts, the company's own among them.
fn of_this_host() -> Result<RootCertStore, Unusable> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err(Key::Ca.unusable(
            "this host trusts no certificate authority; install its CA certificates (package ca-certificates), \
             or name a file in ca_file",
        ));
    }
    Ok(roots)
}
