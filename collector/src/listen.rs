//! The accept loop of every HTTP listener: bounded in connections, header bytes and time, HTTP/1.1 and HTTP/2, TLS
//! where there is a certificate.
//!
//! [`Workers`] are threads with a current-thread runtime each. Any number of listeners share them: one task
//! accepts for each listener and hands the connections round, so a connection lives and dies on one core.
//! It never waits for a peer that does not speak, and never holds more connections than [`Limits`] says.

mod connection;
mod door;
mod head;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::service::Service;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::tls;
use door::{Door, Entered};

/// Connections that the kernel holds for us while all slots are taken; the kernel's own default is 4,096.
const BACKLOG: i32 = 1024;

/// Threads for `spawn_blocking` beside each worker: disk look-ups only, which bound themselves.
const BLOCKING_THREADS_MAX: usize = 4;

/// First and longest pause after the process ran out of descriptors or memory.
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_secs(1);
const WARN_EVERY: Duration = Duration::from_secs(60);

/// What one listener grants its peers.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Open connections; above it a peer waits in the kernel's backlog until one closes.
    pub connections_max: usize,
    /// A connection whose first request has not begun by then is closed; so is one that takes longer over a
    /// later header, or over its TLS handshake.
    pub header_timeout: Duration,
    /// TLS handshakes at a time; what comes above it waits, and its time runs. A peer can make us hold some 64 KiB
    /// before it has said who it is, so 1,024 are 64 MiB.
    pub handshakes_max: usize,
    /// A connection without a new request is closed after this (HTTP/2: after up to twice this). Longer than
    /// the pools of the common clients (reqwest and Go 90 s, OkHttp 5 min), so that it is they who close and
    /// no request meets a connection that is just going away.
    pub idle_timeout: Duration,
    /// HTTP/2: a peer that hears nothing from is pinged after `ping_interval`, and closed when no answer comes
    /// within `ping_timeout`. It is also what ends a header block that never ends.
    pub ping_interval: Duration,
    pub ping_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections_max: 1024,
            header_timeout: Duration::from_secs(10),
            handshakes_max: 1024,
            idle_timeout: Duration::from_secs(360),
            ping_interval: Duration::from_secs(20),
            ping_timeout: Duration::from_secs(10),
        }
    }
}

/// A bound socket that nobody serves yet.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    tls: Option<Arc<tls::Server>>,
}

impl Listener {
    /// The address with the real port where port 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// With TLS, if there is a certificate: then nothing else is spoken there.
    pub fn with_tls(self, tls: Option<Arc<tls::Server>>) -> Listener {
        Listener { tls, ..self }
    }
}

/// Why an address cannot be listened on, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {cause}; {fix}")]
pub struct BindError {
    pub address: SocketAddr,
    #[source]
    pub cause: io::Error,
    pub fix: String,
}

/// Binds `address`; port 0 takes a free port.
pub fn bind(address: SocketAddr) -> Result<Listener, BindError> {
    let socket = open(address).map_err(|cause| BindError { address, fix: fix(address, &cause), cause })?;
    let address = socket.local_addr().unwrap_or(address);
    Ok(Listener { socket, address, tls: None })
}

fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for the TIME_WAIT of old connections; two daemons on one port stay impossible.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn fix(address: SocketAddr, cause: &io::Error) -> String {
    let port = address.port();
    match cause.kind() {
        io::ErrorKind::AddrInUse => {
            format!(
                "stop the program that has it (`ss -ltnp 'sport = :{port}'` names it) or choose another port"
            )
        }
        io::ErrorKind::AddrNotAvailable => {
            "no interface of this host has that address; 0.0.0.0 listens on all of them".to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 need CAP_NET_BIND_SERVICE; choose a higher one or grant it".to_owned()
        }
        _ => "choose another address".to_owned(),
    }
}

/// Who is at the other end, and which worker serves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    pub address: SocketAddr,
    /// Index of the thread, from 0: for tables that each thread has of its own.
    pub worker: usize,
}

/// Threads that serve connections.
#[derive(Debug)]
pub struct Workers {
    runtimes: Vec<Handle>,
    threads: Vec<JoinHandle<()>>,
    /// Turns true when no new request is welcome. Each accept task and each connection holds a receiver.
    stopping: watch::Sender<bool>,
    /// The threads end when this is dropped.
    alive: watch::Sender<()>,
}

impl Workers {
    /// Starts `threads` threads (at least one) called `name`-0, `name`-1, …
    pub fn start(name: &str, threads: usize) -> io::Result<Workers> {
        let mut workers = Workers {
            runtimes: Vec::new(),
            threads: Vec::new(),
            stopping: watch::Sender::new(false),
            alive: watch::Sender::new(()),
        };
        for index in 0..threads.max(1) {
            let runtime = Builder::new_current_thread()
                .enable_all()
                .max_blocking_threads(BLOCKING_THREADS_MAX)
                .thread_name(format!("{name}-{index}-disk"))
                .build()?;
            workers.runtimes.push(runtime.handle().clone());
            let mut alive = workers.alive.subscribe();
            let thread = std::thread::Builder::new().name(format!("{name}-{index}")).spawn(move || {
                // An error says that the sender is gone: the end.
                let _ = runtime.block_on(alive.changed());
                runtime.shutdown_background();
            })?;
            workers.threads.push(thread);
        }
        Ok(workers)
    }

    /// Serves `listener` until [`Workers::stop`]. `service` makes the service of one connection, on its worker.
    pub fn serve<F, S, B>(&self, listener: Listener, limits: Limits, service: F) -> io::Result<()>
    where
        F: Fn(Peer) -> S + Send + Sync + 'static,
        S: Service<Request<Incoming>, Response = Response<B>> + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<Box<dyn Error + Send + Sync>>,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let _context = self.runtimes[0].enter();
        let socket = tokio::net::TcpListener::from_std(listener.socket)?;
        let runtimes = self.runtimes.clone();
        let service = Arc::new(service);
        let door = Arc::new(Door::new(listener.tls, limits.handshakes_max));
        let stopping = self.stopping.subscribe();
        let mut worker = 0;
        let hand_on = move |stream: TcpStream, address: SocketAddr, slot, stopping: watch::Receiver<bool>| {
            let peer = Peer { address, worker };
            worker = (worker + 1) % runtimes.len();
            // A socket belongs to the runtime that registered it; it changes over as a plain one.
            let Ok(stream) = stream.into_std() else { return };
            let (service, door) = (Arc::clone(&service), Arc::clone(&door));
            runtimes[peer.worker].spawn(async move {
                let Ok(stream) = TcpStream::from_std(stream) else { return };
                match door.enter(stream, address, &limits, stopping.clone()).await {
                    Some(Entered::Plain(stream)) => {
                        connection::serve(stream, limits, service(peer), stopping).await;
                    }
                    Some(Entered::Tls(stream)) => {
                        connection::serve(stream, limits, service(peer), stopping).await;
                    }
                    None => {}
                }
                drop::<OwnedSemaphorePermit>(slot);
            });
        };
        self.runtimes[0].spawn(accept(socket, limits.connections_max, stopping, hand_on));
        Ok(())
    }

    /// Runs `task` on the first worker, beside the connections.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.runtimes[0].spawn(task);
    }

    /// True from the moment on at which no new request is welcome; answers that never end should end then.
    pub fn stopping(&self) -> watch::Receiver<bool> {
        self.stopping.subscribe()
    }

    /// Stops accepting, lets requests in flight finish for at most `grace`, then closes what is left.
    pub async fn stop(self, grace: Duration) {
        self.stopping.send_replace(true);
        if tokio::time::timeout(grace, self.stopping.closed()).await.is_err() {
            tracing::warn!(
                ?grace,
                "requests were still running at the end of the grace period; closing them"
            );
        }
        drop(self.alive);
        let threads = self.threads;
        let joined =
            tokio::task::spawn_blocking(move || threads.into_iter().all(|thread| thread.join().is_ok()));
        if !joined.await.unwrap_or(false) {
            tracing::error!("a listener thread had panicked");
        }
    }
}

/// Accepts while a slot is free, and hands each connection on together with its slot.
async fn accept(
    socket: tokio::net::TcpListener,
    connections_max: usize,
    mut stopping: watch::Receiver<bool>,
    mut hand_on: impl FnMut(TcpStream, SocketAddr, OwnedSemaphorePermit, watch::Receiver<bool>),
) {
    let slots = Arc::new(Semaphore::new(connections_max));
    let handed = stopping.clone();
    let mut backoff = Backoff::default();
    loop {
        let pause = backoff.pause;
        let next = async {
            if let Some(pause) = pause {
                tokio::time::sleep(pause).await;
            }
            let slot = Arc::clone(&slots).acquire_owned().await.expect("nobody closes the semaphore");
            socket.accept().await.map(|(stream, address)| (stream, address, slot))
        };
        let accepted = tokio::select! {
            biased;
            _ = stopping.wait_for(|stopping| *stopping) => return,
            accepted = next => accepted,
        };
        match accepted {
            Ok((stream, address, slot)) => {
                backoff.pause = None;
                hand_on(stream, address, slot, handed.clone());
            }
            Err(error) => backoff.failed(&error),
        }
    }
}

/// Keeps a listener that cannot accept from spinning and from filling the log.
#[derive(Debug, Default)]
struct Backoff {
    /// How long to leave the socket alone.
    pause: Option<Duration>,
    warned: Option<Instant>,
}

impl Backoff {
    /// Not at all where only that one peer is gone; otherwise (no descriptors, no memory) longer each time,
    /// because accept would fail again at once.
    fn failed(&mut self, error: &io::Error) {
        use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
        if matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) {
            return;
        }
        self.pause = Some(self.pause.map_or(PAUSE_MIN, |last| (last * 2).min(PAUSE_MAX)));
        if self.warned.is_none_or(|at| at.elapsed() > WARN_EVERY) {
            self.warned = Some(Instant::now());
            tracing::warn!(%error, "cannot accept connections; trying again until it works");
        }
    }
}
