//! The local socket: `SOCK_SEQPACKET`, one export request per packet, nothing answered.
//!
//! One thread serves all connections. A client is never waited for: when the daemon can't keep up, the socket's
//! buffer fills and the client drops and counts. What the daemon itself can't keep is counted here.

use std::cell::RefCell;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net as unix;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use rustix::fs::{Gid, Mode};
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, RecvFlags, SocketAddrUnix, SocketFlags, SocketType};
use spanmill_proto::local::{Header, Kind, PACKET_MAX};
use tokio::io::Interest;
use tokio::net::{UnixDatagram, UnixListener};
use tokio::sync::{Semaphore, watch};
use tokio::task::LocalSet;

use super::response::Failure;
use super::{ReceivedBatch, Sink};
use crate::clock::Clock;
use crate::outcome::{Outcomes, Rejected, Transport};

/// Where the socket is and who may connect.
#[derive(Debug, Clone)]
pub struct Local {
    pub path: PathBuf,
    pub mode: u32,
    /// Numeric group; `None` = the daemon's own.
    pub group: Option<u32>,
}

/// Processes of one host that may be connected: FPM pools of a large host have a few hundred workers.
const CONNECTIONS_MAX: usize = 4096;
/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;
/// Packets of one connection that are merged into one batch when they are there already.
const MERGED_MAX: usize = 16;

/// Binds the socket. A file that no daemon listens on any more is replaced.
pub fn bind(local: &Local) -> io::Result<OwnedFd> {
    if let Some(dir) = local.path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    let address = SocketAddrUnix::new(&local.path)?;
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let open = || net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None);
    let socket = open()?;
    match net::bind(&socket, &address) {
        Err(Errno::ADDRINUSE) => {
            if net::connect(open()?, &address) != Err(Errno::CONNREFUSED) {
                let message = "another daemon listens on it; stop that one or set receive.local.path";
                return Err(io::Error::new(io::ErrorKind::AddrInUse, message));
            }
            std::fs::remove_file(&local.path)?;
            net::bind(&socket, &address)?;
        }
        bound => bound?,
    }
    if let Some(group) = local.group {
        rustix::fs::chown(&local.path, None, Some(Gid::from_raw(group)))?;
    }
    rustix::fs::chmod(&local.path, Mode::from_raw_mode(local.mode))?;
    net::listen(&socket, BACKLOG)?;
    Ok(socket)
}

/// What the thread of the local socket works with.
pub struct LocalSocket<S> {
    pub sink: S,
    pub clock: Clock,
    pub outcomes: Arc<Outcomes>,
}

/// Serves until `stop` says so, then takes the socket's file away.
pub fn serve<S: Sink>(shared: LocalSocket<S>, socket: OwnedFd, path: &Path, mut stop: watch::Receiver<bool>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return tracing::error!("the local socket has no runtime: {error}"),
    };
    let tasks = LocalSet::new();
    tasks.block_on(&runtime, async {
        let stopped = async move { drop(stop.wait_for(|stop| *stop).await) };
        tokio::select! {
            error = accept(Rc::new(shared), socket) => {
                tracing::error!("the local socket {} is lost: {error}", path.display());
            }
            () = stopped => {}
        }
    });
    drop(std::fs::remove_file(path));
}

async fn accept<S: Sink>(shared: Rc<LocalSocket<S>>, socket: OwnedFd) -> io::Error {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    // One buffer for all connections: it is used only between two awaits.
    let buffer = Rc::new(RefCell::new(vec![0; PACKET_MAX]));
    let socket = match UnixListener::from_std(unix::UnixListener::from(socket)) {
        Ok(socket) => socket,
        Err(error) => return error,
    };
    loop {
        let place = Arc::clone(&places).acquire_owned().await.expect("never closed");
        match accept_one(&socket).await {
            Ok(connection) => {
                let (shared, buffer) = (Rc::clone(&shared), Rc::clone(&buffer));
                tokio::task::spawn_local(async move {
                    shared.connection(&connection, &buffer).await;
                    drop(place);
                });
            }
            // No descriptor left, or the client is gone already: others may fare better in a moment.
            Err(error) => {
                tracing::debug!("local socket: accept failed: {error}");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
}

/// The next connection. Neither std nor tokio has a type for `SOCK_SEQPACKET`; a connected datagram socket has
/// the same calls, and a listening one is a listener like any other.
async fn accept_one(socket: &UnixListener) -> io::Result<UnixDatagram> {
    let (connection, _) = socket.accept().await?;
    let connection = OwnedFd::from(connection.into_std()?);
    UnixDatagram::from_std(unix::UnixDatagram::from(connection))
}

impl<S: Sink> LocalSocket<S> {
    /// Takes packets until the client is gone.
    async fn connection(&self, connection: &UnixDatagram, buffer: &RefCell<Vec<u8>>) {
        let mut requests = Vec::with_capacity(MERGED_MAX);
        loop {
            if connection.readable().await.is_err() {
                return;
            }
            let mut ended = false;
            while requests.len() < MERGED_MAX {
                match connection.try_io(Interest::READABLE, || receive(connection, &mut buffer.borrow_mut()))
                {
                    Ok(Packet::Spans(request)) => requests.push(request),
                    Ok(Packet::Other) => {}
                    Ok(Packet::Bad) => self.outcomes.rejected(Rejected::Malformed),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Ok(Packet::End) | Err(_) => {
                        ended = true;
                        break;
                    }
                }
            }
            self.hand_on(&mut requests).await;
            if ended {
                return;
            }
        }
    }

    /// Merges what is there into one batch; if that is malformed, one packet is, and each goes by itself.
    async fn hand_on(&self, requests: &mut Vec<Bytes>) {
        if requests.len() > 1 {
            let mut merged = BytesMut::with_capacity(requests.iter().map(Bytes::len).sum());
            requests.iter().for_each(|request| merged.extend_from_slice(request));
            match self.sink.accept(self.batch(merged.freeze())).await {
                Err(super::Refusal::Malformed(_)) => {}
                Err(refusal) => {
                    self.outcomes.rejected(Failure::from(refusal).reason);
                    return requests.clear();
                }
                Ok(_) => return requests.clear(),
            }
        }
        for request in requests.drain(..) {
            if let Err(refusal) = self.sink.accept(self.batch(request)).await {
                tracing::debug!("local socket: {refusal}");
                self.outcomes.rejected(Failure::from(refusal).reason);
            }
        }
    }

    fn batch(&self, body: Bytes) -> ReceivedBatch {
        let received_unix_ns = self.clock.unix_ns();
        ReceivedBatch { body, transport: Transport::Local, received_unix_ns, hops: 0, origin: None }
    }
}

enum Packet {
    Spans(Bytes),
    /// A kind that carries no spans.
    Other,
    Bad,
    End,
}

fn receive(connection: &UnixDatagram, buffer: &mut [u8]) -> io::Result<Packet> {
    // TRUNC: the length is that of the packet, also where it is larger than the buffer.
    let (_, length) = net::recv(connection, &mut *buffer, RecvFlags::TRUNC)?;
    if length == 0 {
        return Ok(Packet::End);
    }
    let Some(packet) = buffer.get(..length) else { return Ok(Packet::Bad) };
    Ok(match Header::decode(packet) {
        Ok((Header { kind: Kind::Spans, .. }, payload)) => Packet::Spans(Bytes::copy_from_slice(payload)),
        Ok(_) => Packet::Other,
        Err(_) => Packet::Bad,
    })
}
