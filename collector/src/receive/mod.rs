//! Takes OTLP over gRPC, HTTP and the local socket, and hands each request on as one `Bytes`.
//!
//! Never decodes into objects (OTLP/JSON is turned into protobuf once and then takes the same path), and never
//! answers OK before the pipeline has said that the batch is kept.

mod answer;
mod body;
mod budget;
mod grpc;
mod http;
mod inflate;
mod json;
mod local;
mod origin;
mod otlp;
mod response;
mod tokens;

use std::collections::HashSet;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use hyper::service::service_fn;
use tokio::sync::watch;

pub use local::Local;
pub use origin::Origin;
pub use tokens::Tokens;

use crate::clock::Clock;
use crate::listen;
use crate::outcome::{Outcomes, Transport};
use crate::rotate::Rotating;
use crate::tls;

#[derive(Debug, Clone)]
pub struct Config {
    pub grpc: Listen,
    pub http: Listen,
    pub local: Local,
    /// Largest request, inflated.
    pub request_max: usize,
    /// Bytes received and not yet in the journal, whole process.
    pub memory_max: usize,
}

/// One OTLP listener.
#[derive(Debug, Clone)]
pub struct Listen {
    pub address: SocketAddr,
    pub connections_max: usize,
    /// `None` = without TLS.
    pub tls: Option<Arc<tls::Server>>,
    /// `None` = every sender is let in.
    pub tokens: Option<Arc<Rotating<Tokens>>>,
}

/// One export request as it came in, inflated, protobuf; not yet known to be well-formed.
#[derive(Debug, Clone)]
pub struct ReceivedBatch {
    pub body: Bytes,
    pub transport: Transport,
    pub received_unix_ns: u64,
    /// How many spanmill daemons have forwarded it already.
    pub hops: u8,
    /// Which part of whose log it is, where a spanmill forwarded it and says so.
    pub origin: Option<Origin>,
}

/// The batch is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// Spans that were cut out because their ids are not valid; answered as `partial_success`.
    pub rejected_spans: u32,
}

/// The batch is not kept, and the sender is told why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("{0}")]
    Malformed(String),
    #[error("{reason}")]
    Overload { reason: String, retry_after: Duration },
    /// A part of it is kept already; the sender is to send its parts.
    #[error("a part of this batch is here already: send it in smaller parts")]
    Overlaps,
}

/// What the pipeline gives this stage: where batches go.
pub trait Sink: Clone + Send + Sync + 'static {
    fn accept(&self, batch: ReceivedBatch) -> impl Future<Output = Result<Accepted, Refusal>> + Send;
}

/// Why the stage can't start; the sentence names the address and the fix.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Bind(#[from] listen::BindError),
    #[error(
        "cannot listen on the local socket {path}: {cause}; set receive.local.path to one that can be made"
    )]
    Local { path: String, cause: std::io::Error },
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// The running stage.
#[derive(Debug)]
pub struct Receiver {
    workers: listen::Workers,
    local: std::thread::JoinHandle<()>,
    stop: watch::Sender<bool>,
    /// The addresses with their real ports, where port 0 was asked for.
    pub grpc: SocketAddr,
    pub http: SocketAddr,
    /// The local socket's file.
    pub socket: PathBuf,
}

/// Binds the three listeners and serves them: OTLP on a thread per core, the local socket on one of its own.
pub fn start<S: Sink>(
    config: Config,
    sink: &S,
    clock: &Clock,
    outcomes: &Arc<Outcomes>,
) -> Result<Receiver, StartError> {
    let grpc = listen::bind(config.grpc.address)?.with_tls(config.grpc.tls.clone());
    let http = listen::bind(config.http.address)?.with_tls(config.http.tls.clone());
    let path = config.local.path.clone();
    let socket = local::bind(&config.local)
        .map_err(|cause| StartError::Local { path: path.display().to_string(), cause })?;

    let addresses = (grpc.local_addr(), http.local_addr());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = listen::Workers::start("receive", threads)?;
    let budget = budget::Budget::new(config.memory_max);
    for (listener, Listen { connections_max, tokens, .. }) in [(grpc, config.grpc), (http, config.http)] {
        let otlp = Arc::new(otlp::Otlp {
            sink: sink.clone(),
            clock: clock.clone(),
            outcomes: Arc::clone(outcomes),
            budget: budget.clone(),
            request_max: config.request_max,
            tokens,
            named_senders: Mutex::new(HashSet::new()),
        });
        let limits = listen::Limits { connections_max, ..listen::Limits::default() };
        workers.serve(listener, limits, move |peer| {
            let otlp = Arc::clone(&otlp);
            service_fn(move |mut request| {
                request.extensions_mut().insert(peer.address);
                let otlp = Arc::clone(&otlp);
                async move { Ok::<_, Infallible>(otlp.serve(request).await) }
            })
        })?;
    }

    let socket_path = path.clone();
    let shared =
        local::LocalSocket { sink: sink.clone(), clock: clock.clone(), outcomes: Arc::clone(outcomes) };
    let (stop, stopped) = watch::channel(false);
    let local = std::thread::Builder::new()
        .name("receive-local".to_owned())
        .spawn(move || local::serve(shared, socket, &path, stopped))?;
    Ok(Receiver { workers, local, stop, grpc: addresses.0, http: addresses.1, socket: socket_path })
}

impl Receiver {
    /// Takes no new connection, answers what is in flight for at most `grace`, then closes all.
    pub async fn stop(self, grace: Duration) {
        self.stop.send_replace(true);
        self.workers.stop(grace).await;
        let local = self.local;
        if tokio::task::spawn_blocking(move || local.join()).await.is_ok_and(|joined| joined.is_err()) {
            tracing::error!("the thread of the local socket had panicked");
        }
    }
}

#[cfg(test)]
mod tests;
