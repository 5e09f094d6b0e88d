//! The local socket: `SOCK_SEQPACKET`, one export request per packet, nothing answered; and once a second a look at
//! the calls in flight on the pages that its clients have announced.
//!
//! One thread serves all connections. A client is never waited for: when the daemon can't keep up, the socket's
//! buffer fills and the client drops and counts. What the daemon itself can't keep is counted here.

mod packet;
mod page;
mod pages;

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net as unix;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rustix::fs::{Gid, Mode};
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use spanmill_proto::hello::{ClientCounters, Hello};
use spanmill_proto::local::PACKET_MAX;
use tokio::io::Interest;
use tokio::net::{UnixDatagram, UnixListener};
use tokio::sync::{Semaphore, watch};
use tokio::task::LocalSet;

use super::pulse::Pulses;
use super::response::Failure;
use super::{ReceivedBatch, Sink, Source, abandoned};
use crate::clock::Clock;
use crate::outcome::{Outcomes, Rejected, Transport};
use packet::{Packet, receive};
use page::{Page, Peer};
use pages::Pages;

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
/// How often the pages are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

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
    pub pulses: Pulses,
}

/// What the connections share.
struct Clients<S> {
    shared: LocalSocket<S>,
    /// One buffer for all connections: it is used only between two awaits.
    buffer: RefCell<Vec<u8>>,
    pages: RefCell<Pages>,
    last_connection: Cell<u64>,
}

/// Serves until `stop` says so, then takes the socket's file away.
pub fn serve<S: Sink>(shared: LocalSocket<S>, socket: OwnedFd, path: &Path, mut stop: watch::Receiver<bool>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return tracing::error!("the local socket has no runtime: {error}"),
    };
    let tasks = LocalSet::new();
    let clients = Rc::new(Clients {
        shared,
        buffer: RefCell::new(vec![0; PACKET_MAX]),
        pages: RefCell::default(),
        last_connection: Cell::new(0),
    });
    tasks.block_on(&runtime, async {
        let stopped = async move { drop(stop.wait_for(|stop| *stop).await) };
        tokio::select! {
            error = accept(Rc::clone(&clients), socket) => {
                tracing::error!("the local socket {} is lost: {error}", path.display());
            }
            () = clients.look() => {}
            () = stopped => {}
        }
    });
    drop(std::fs::remove_file(path));
}

async fn accept<S: Sink>(clients: Rc<Clients<S>>, socket: OwnedFd) -> io::Error {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let socket = match UnixListener::from_std(unix::UnixListener::from(socket)) {
        Ok(socket) => socket,
        Err(error) => return error,
    };
    loop {
        let place = Arc::clone(&places).acquire_owned().await.expect("never closed");
        match accept_one(&socket).await {
            Ok(connection) => {
                let clients = Rc::clone(&clients);
                tokio::task::spawn_local(async move {
                    clients.connection(&connection).await;
                    drop(place);
                });
            }
            // No descriptor left, or the client is gone already: others may fare better in a moment.
            Err(error) => {
                tracing::debug!("local socket: accept failed: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
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

impl<S: Sink> Clients<S> {
    /// Takes packets until the client is gone.
    async fn connection(&self, connection: &UnixDatagram) {
        let number = self.last_connection.get() + 1;
        self.last_connection.set(number);
        let mut requests = Vec::with_capacity(MERGED_MAX);
        loop {
            if connection.readable().await.is_err() {
                break;
            }
            let mut ended = false;
            while requests.len() < MERGED_MAX {
                let packet = connection
                    .try_io(Interest::READABLE, || receive(connection, &mut self.buffer.borrow_mut()));
                match packet {
                    Ok(Packet::Spans(request)) => requests.push(request),
                    Ok(Packet::Hello(hello, page)) => self.hello(connection, number, &hello, page),
                    Ok(Packet::Counters(counters)) => self.counters(&counters),
                    Ok(Packet::Bad) => self.shared.outcomes.rejected(Rejected::Malformed),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Ok(Packet::End) | Err(_) => {
                        ended = true;
                        break;
                    }
                }
            }
            self.shared.hand_on(&mut requests).await;
            if ended {
                break;
            }
        }
        self.pages.borrow_mut().disconnected(number);
    }

    /// A client says who it is, and may bring its open-call page.
    fn hello(&self, connection: &UnixDatagram, number: u64, hello: &Bytes, page: Option<OwnedFd>) {
        let outcomes = &self.shared.outcomes;
        let Ok(said) = Hello::decode(hello) else { return outcomes.rejected(Rejected::Malformed) };
        tracing::debug!(client = said.client_version, pid = said.pid, "local socket: a client says hello");
        let Some(page) = page else { return };
        let resource = hello.slice_ref(said.resource);
        match Page::new(page) {
            Ok(page) => {
                if !self.pages.borrow_mut().announce(page, Peer::of(connection), resource, number) {
                    outcomes.pages_refused(1);
                }
            }
            Err(refused) => {
                tracing::debug!(client = said.client_version, "open-call page refused: {refused}");
                outcomes.pages_refused(1);
            }
        }
    }

    fn counters(&self, payload: &[u8]) {
        match ClientCounters::decode(payload) {
            Ok(counters) => self.shared.outcomes.clients(&counters),
            Err(_) => self.shared.outcomes.rejected(Rejected::Malformed),
        }
    }

    /// Tells once a second of the calls in flight, and gives those of dead processes an end.
    async fn look(&self) {
        let mut every = tokio::time::interval(LOOK_EVERY);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            every.tick().await;
            let LocalSocket { sink, clock, outcomes, pulses } = &self.shared;
            if let Some(processes) = pulses.in_flight() {
                sink.in_flight(Source::Pulses, processes, clock.unix_ns());
            }
            let seen = self.pages.borrow_mut().look();
            let now_ns = clock.unix_ns();
            outcomes.calls_without_slot(seen.overflows);
            outcomes.pages_skipped(seen.skipped);
            outcomes.pages_refused(seen.broken);
            if !seen.alive.is_empty() {
                sink.in_flight(Source::Pages, seen.alive, now_ns);
            }
            for process in &seen.dead {
                let body = abandoned::request(process, now_ns, |call| sink.is_overdue(call, now_ns));
                self.shared.hand_on(&mut vec![body]).await;
            }
        }
    }
}

impl<S: Sink> LocalSocket<S> {
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

#[cfg(test)]
mod tests;
