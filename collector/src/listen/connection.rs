//! One connection from its first request to its close.

use std::error::Error;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use super::Limits;
use super::head::{CountReads, HeadTimer};

/// Bounds the header of an HTTP/1.1 request (431 above it) and, for the sake of bodies, one read.
const HTTP1_BUFFER_MAX: usize = 256 << 10;
/// Fewer, larger DATA frames; h2 clients honour it, grpc-go is said to stay at 16 KiB.
const FRAME_MAX: u32 = 1 << 20;
/// A stream of 1 MiB in flight fills 1 Gbit/s up to 8 ms away; four of them fill the connection. What a peer
/// can make us hold unread is this window.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 * STREAM_WINDOW;
const STREAMS_MAX: u32 = 128;
/// 431 above it. gRPC metadata and a token are below 2 KiB.
const HEADER_LIST_MAX: u32 = 16 << 10;
/// Streams that were reset before, or by, us and are still remembered; GOAWAY above it ("rapid reset").
const RESETS_PENDING_MAX: usize = 20;
const RESETS_LOCAL_MAX: usize = 128;
/// How long a peer that never sent a request may take over saying good-bye.
const FAREWELL: Duration = Duration::from_secs(1);

/// Serves `stream` until the peer or a limit closes it, or `stopping` turns true and its requests are done.
pub(super) async fn serve<I, S, B>(stream: I, limits: Limits, service: S, mut stopping: watch::Receiver<bool>)
where
    I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    S: Service<Request<Incoming>, Response = Response<B>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let requests = Arc::new(AtomicU64::new(0));
    let reads = Arc::new(AtomicU64::new(0));
    let builder = builder(&limits, HeadTimer::new(Arc::clone(&reads), limits.header_timeout));
    let io = CountReads::new(TokioIo::new(stream), reads);
    let counted = Counted { service, requests: Arc::clone(&requests) };
    let mut connection = pin!(builder.serve_connection(io, counted));

    let silent = tokio::select! {
        ended = connection.as_mut() => return log(ended),
        silent = quiet(&requests, &limits) => silent,
        _ = stopping.wait_for(|stopping| *stopping) => requests.load(Ordering::Relaxed) == 0,
    };
    connection.as_mut().graceful_shutdown();
    if silent {
        // Nothing is in flight, so nothing is lost by not waiting for the peer.
        if let Ok(ended) = tokio::time::timeout(FAREWELL, connection).await {
            log(ended);
        }
    } else {
        log(connection.await);
    }
}

fn builder(limits: &Limits, head: HeadTimer) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(head)
        // The wait for a next request; `head` shortens it once a header has begun.
        .header_read_timeout(limits.idle_timeout)
        .max_buf_size(HTTP1_BUFFER_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.ping_interval)
        .keep_alive_timeout(limits.ping_timeout)
        .max_frame_size(FRAME_MAX)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADER_LIST_MAX)
        .max_pending_accept_reset_streams(RESETS_PENDING_MAX)
        .max_local_error_reset_streams(RESETS_LOCAL_MAX);
    builder
}

/// Ends when the peer owes a request: its first within the header timeout (true), a next one within the idle
/// timeout (false). hyper's own detection of the HTTP version waits for ever, so the first is on us.
async fn quiet(requests: &AtomicU64, limits: &Limits) -> bool {
    tokio::time::sleep(limits.header_timeout).await;
    let mut seen = requests.load(Ordering::Relaxed);
    if seen == 0 {
        return true;
    }
    loop {
        tokio::time::sleep(limits.idle_timeout).await;
        let now = requests.load(Ordering::Relaxed);
        if now == seen {
            return false;
        }
        seen = now;
    }
}

fn log(ended: Result<(), Box<dyn Error + Send + Sync>>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}

/// Counts the requests that begin.
struct Counted<S> {
    service: S,
    requests: Arc<AtomicU64>,
}

impl<S: Service<Request<Incoming>>> Service<Request<Incoming>> for Counted<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn call(&self, request: Request<Incoming>) -> S::Future {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.service.call(request)
    }
}
