//! The server's side of a handshake: our certificate, and on demand that of the client.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{io, net::SocketAddr};

use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::{Key, Unusable, certificates, explain, pair, private_key, provider, roots};
use crate::rotate::Rotating;

/// Failed handshakes come as often as somebody likes; the log hears of them this often.
const FAILURES_TOLD: Duration = Duration::from_secs(60);

/// How long a peer that failed may take to read why.
const FAREWELL: Duration = Duration::from_secs(1);

/// Both protocols on each port, as without TLS.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

#[derive(Debug, Clone)]
pub struct ServerFiles {
    /// Our chain, the leaf first.
    pub cert: PathBuf,
    pub key: PathBuf,
    /// Who comes without a certificate of this CA is refused.
    pub client_ca: Option<PathBuf>,
}

/// One listener's certificate.
#[derive(Debug)]
pub struct Server {
    config: Rotating<ServerConfig>,
    failure_told: Mutex<Option<Instant>>,
}

impl Server {
    /// `what` names the listener in the log.
    pub fn new(what: &str, files: ServerFiles) -> Result<Server, Unusable> {
        let watched = [&files.cert, &files.key].into_iter().chain(&files.client_ca).cloned().collect();
        let config = Rotating::new(format!("the certificate of {what}"), watched, move || configure(&files))?;
        Ok(Server { config, failure_told: Mutex::new(None) })
    }

    /// Shakes hands. What fails is not worth an answer of our own: TLS has told the peer, and we tell the log.
    pub async fn accept<I>(&self, io: I, peer: SocketAddr) -> io::Result<TlsStream<I>>
    where
        I: AsyncRead + AsyncWrite + Unpin,
    {
        let accepted = TlsAcceptor::from(self.config.current()).accept(io).into_fallible().await;
        match accepted {
            Ok(stream) => Ok(stream),
            Err((error, mut io)) => {
                self.note(&error, peer);
                // A socket that is closed with unread bytes takes the alert, which says why, with it.
                let _ = timeout(FAREWELL, say_goodbye(&mut io)).await;
                Err(error)
            }
        }
    }

    fn note(&self, error: &io::Error, peer: SocketAddr) {
        let reason = explain(error);
        tracing::debug!("TLS handshake with {peer} failed: {reason}");
        let mut told = self.failure_told.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if told.is_none_or(|at| at.elapsed() >= FAILURES_TOLD) {
            *told = Some(Instant::now());
            tracing::warn!("TLS handshake with {peer} failed: {reason}; said at most once a minute");
        }
    }
}

async fn say_goodbye(io: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<()> {
    io.shutdown().await?;
    let mut unread = [0; 4096];
    while io.read(&mut unread).await? > 0 {}
    Ok(())
}

fn configure(files: &ServerFiles) -> Result<ServerConfig, Unusable> {
    let chain = certificates(&files.cert, Key::Cert)?;
    let key = private_key(&files.key)?;
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| Key::Cert.unusable(error.to_string()))?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(path)?), provider())
                .build()
                .map_err(|error| Key::Ca.unusable(format!("{}: {error}", path.display())))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config =
        builder.with_single_cert(chain, key).map_err(|error| pair(&files.cert, &files.key, &error))?;
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    Ok(config)
}
