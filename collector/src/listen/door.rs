//! What stands between an accepted socket and its first request: socket options, and TLS where there is a certificate.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::BufReader;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio_rustls::server::TlsStream;

use super::Limits;
use crate::tls;

/// One system call then brings a whole batch, where h2 would read frame by frame, and TLS record by record. Linux
/// maps the pages of the buffer only when they are used, so a quiet connection costs next to nothing.
const READ_BUFFER: usize = 256 << 10;
/// Sent and not acknowledged for so long: the peer is dead or does not read.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(30);
/// The way into one listener.
pub(super) struct Door {
    tls: Option<Arc<tls::Server>>,
    handshakes: Semaphore,
}

/// A connection on which requests may come.
pub(super) enum Entered {
    Plain(BufReader<TcpStream>),
    Tls(Box<TlsStream<BufReader<TcpStream>>>),
}

impl Door {
    pub(super) fn new(tls: Option<Arc<tls::Server>>, handshakes_max: usize) -> Door {
        Door { tls, handshakes: Semaphore::new(handshakes_max) }
    }

    /// `None` when the peer failed to shake hands in time, or the listener stops.
    pub(super) async fn enter(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        limits: &Limits,
        mut stopping: watch::Receiver<bool>,
    ) -> Option<Entered> {
        // Without them the connection still works.
        let _ = stream.set_nodelay(true);
        let _ = socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX));
        let Some(tls) = &self.tls else {
            return Some(Entered::Plain(BufReader::with_capacity(READ_BUFFER, stream)));
        };
        let shaken = tokio::time::timeout(limits.header_timeout, self.shake_hands(tls, stream, peer));
        tokio::select! {
            shaken = shaken => shaken.ok().flatten().map(|stream| Entered::Tls(Box::new(stream))),
            _ = stopping.wait_for(|stopping| *stopping) => None,
        }
    }

    async fn shake_hands(
        &self,
        tls: &tls::Server,
        stream: TcpStream,
        peer: SocketAddr,
    ) -> Option<TlsStream<BufReader<TcpStream>>> {
        // Who says nothing at all takes no place from those who do.
        stream.readable().await.ok()?;
        let _place = self.handshakes.acquire().await.ok()?;
        tls.accept(BufReader::with_capacity(READ_BUFFER, stream), peer).await.ok()
    }
}
