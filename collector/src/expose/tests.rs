//! The answers as a client on a real socket sees them, over facts that a test sets by hand.

mod answers;
mod exposition;
mod openapi;
mod stages;
mod stored;
mod traces;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::facts::Facts;
use super::{Config, Server, serve};
use crate::clock::Clock;
use crate::journal::{Found, Position, Record};
use crate::mask::MaskedBatch;
use crate::outcome::{Outcomes, Rejected, Transport};
use crate::rollup::{
    self, Baseline, Board, BreakdownTable, Column, Conversion, Dimension, Durations, Exemplar, Figures,
    Heatmap, Kind, Part, Point, Row, Series, Totals, TotalsExemplar, UnmappedPeer, Verdict,
};
use crate::store::Store;
use crate::store::fixture::{self, Fake};
use crate::{forward, journal, listen};

const PATIENCE: Duration = Duration::from_secs(20);
/// 2026-11-22T20:15:03Z
const NOW_S: u64 = 1_795_378_503;

/// What the stages would say.
struct Known {
    outcomes: Outcomes,
    draining: AtomicBool,
    journal_writable: AtomicBool,
    journal_full: AtomicBool,
    recovered: AtomicBool,
    board: watch::Sender<Arc<Board>>,
    totals: Vec<Totals>,
    destination: Mutex<forward::Status>,
    batches: Vec<MaskedBatch>,
    store: Store,
    feed: Fake,
    _dir: TempDir,
    not_searched: u64,
    reload: Mutex<Result<(), String>>,
}

impl Known {
    async fn new() -> Known {
        let dir = TempDir::new().unwrap();
        let (store, feed) = fixture::store(dir.path(), &Clock::manual(NOW_S * 1_000_000_000)).await;
        let outcomes = Outcomes::default();
        outcomes.received(Transport::Grpc, 100);
        outcomes.rejected(Rejected::TooLarge);
        outcomes.invalid_spans(3);
        let destination = forward::Status { forwarded: 90, queued: 10, lag_s: 1.5, ..Default::default() };
        Known {
            outcomes,
            draining: AtomicBool::new(false),
            journal_writable: AtomicBool::new(true),
            journal_full: AtomicBool::new(false),
            recovered: AtomicBool::new(true),
            board: watch::Sender::new(Arc::new(board(NOW_S, 60))),
            totals: vec![totals("sberbank")],
            destination: Mutex::new(destination),
            batches: Vec::new(),
            store,
            feed,
            _dir: dir,
            not_searched: 0,
            reload: Mutex::new(Ok(())),
        }
    }
}

impl Facts for Known {
    fn unix_ns(&self) -> u64 {
        NOW_S * 1_000_000_000
    }
    fn outcomes(&self) -> &Outcomes {
        &self.outcomes
    }
    fn draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
    fn journal_writable(&self) -> bool {
        self.journal_writable.load(Ordering::Relaxed)
    }
    fn recovered(&self) -> bool {
        self.recovered.load(Ordering::Relaxed)
    }
    fn boards(&self) -> watch::Receiver<Arc<Board>> {
        self.board.subscribe()
    }
    fn window(&self, window: Duration) -> Board {
        board(NOW_S, window.as_secs())
    }
    fn series(&self, name: &str, from_s: u64, to_s: u64, step_s: u64) -> Option<Series> {
        let points = (from_s..to_s).step_by(step_s as usize).map(point).collect();
        (name == "sberbank" || name == "а/б").then(|| Series { name: name.to_owned(), step_s, points })
    }
    fn totals(&self) -> Vec<Totals> {
        self.totals.clone()
    }
    fn breakdown(&self, name: &str, by: Dimension, _window: Duration) -> Option<BreakdownTable> {
        let part = |count| Part {
            count,
            share: Some(count as f64 / 100.0),
            failure_ratio: None,
            p50_ms: Some(1.0),
            p95_ms: None,
            p99_ms: None,
        };
        let rows = vec![Row { key: "10.1.2.3:443".to_owned(), part: part(90) }];
        (name == "sberbank").then(|| BreakdownTable { by: by.name(), rows, other: part(10), lost_keys: 3 })
    }
    fn exemplars(&self, name: &str, kind: Kind, _window: Duration) -> Option<Vec<Exemplar>> {
        let exemplar = Exemplar {
            trace_id: "4bf92f3577b34da6a3ce929d0e0e4736".to_owned(),
            span_id: "0101010101010101".to_owned(),
            at: rollup::rfc3339(NOW_S * 1_000_000_000),
            operation: format!("{kind:?}"),
            service: "shop".to_owned(),
            host: "h7".to_owned(),
            ms: 3071.0,
            outcome: "timeout",
        };
        (name == "sberbank").then(|| vec![exemplar])
    }
    fn heatmap(&self, name: &str, from_s: u64, to_s: u64, step_s: u64) -> Option<Heatmap> {
        let column = |t| Column { t, counts: vec![0, 3], timeout: 0, failed: 2 };
        let columns = (from_s..to_s).step_by(step_s as usize).map(column).collect();
        (name == "sberbank").then(|| Heatmap { step_s, bounds_ms: vec![1.0, 1.41], columns })
    }
    fn unmapped(&self) -> Vec<UnmappedPeer> {
        let (peer, rule) = ("api.newbank.example".to_owned(), "[[provider]]".to_owned());
        vec![UnmappedPeer { peer, count: 512, services: vec!["shop".to_owned()], rule }]
    }
    fn skews(&self) -> Vec<(String, f64)> {
        vec![("h9".to_owned(), 599.5)]
    }
    fn reload(&self) -> Result<(), String> {
        self.reload.lock().unwrap().clone()
    }
    fn rollup(&self) -> rollup::Stats {
        rollup::Stats { spans: 100, rolled_up: 40, late: 4, too_late: 1, ..Default::default() }
    }
    fn store(&self) -> &Store {
        &self.store
    }
    fn journal(&self) -> journal::Status {
        journal::Status { position: 56_000, bytes: 56_000, oldest_s: 12.5, corrupt_records: 0 }
    }
    fn destinations(&self) -> Vec<(String, forward::Status)> {
        vec![("jaeger".to_owned(), self.destination.lock().unwrap().clone())]
    }
    fn journal_full(&self) -> bool {
        self.journal_full.load(Ordering::Relaxed)
    }
    fn find(&self, _: &[u8; 16], visit: &mut dyn FnMut(&Record) -> bool) -> io::Result<Found> {
        self.batches.iter().cloned().all(|batch| {
            let position = Position(0);
            visit(&Record { position, next: position, spans_before: 0, batch })
        });
        Ok(Found { not_searched: self.not_searched })
    }
}

fn board(at_s: u64, window_s: u64) -> Board {
    Board { at_unix_ns: at_s * 1_000_000_000, window_s, providers: vec![figures("sberbank")] }
}

fn figures(name: &str) -> Figures {
    Figures {
        name: name.to_owned(),
        calls_per_s: 41.2,
        count: 2472,
        attempts: 2490,
        ok: 2310,
        declined: 140,
        client_fault: 2,
        failed: 8,
        timeout: 12,
        connect: 0,
        cancelled: 0,
        failure_ratio: Some(0.0081),
        conversion: Conversion { minutes_5: Some(0.934), minutes_10: None, minutes_15: None },
        p50_ms: Some(212.0),
        p95_ms: Some(803.1),
        p99_ms: Some(3071.0),
        max_ms: Some(45_003.2),
        sum_ms: 610_233.0,
        failed_p95_ms: None,
        in_flight: Some(19),
        oldest_in_flight_ms: Some(3120),
        in_flight_ages: Some([15, 2, 2, 0, 0, 0, 0]),
        baseline: Some(Baseline { p95_ms: 640.0, failure_ratio: 0.002, calls_per_s: 40.0 }),
        verdict: Verdict::Learning,
        since: None,
        scope: None,
        evidence: None,
        last_success: Some(rollup::rfc3339(NOW_S * 1_000_000_000)),
        owner: Some("payments".to_owned()),
        runbook: None,
        status_page: None,
        muted: false,
    }
}

fn point(t: u64) -> Point {
    Point {
        t,
        count: 1,
        ok: 1,
        declined: 0,
        client_fault: 0,
        failed: 0,
        timeout: 0,
        connect: 0,
        cancelled: 0,
        p50_ms: Some(1.0),
        p95_ms: Some(1.0),
        p99_ms: Some(1.0),
        max_ms: Some(1.0),
        sum_ms: 1.0,
        in_flight: None,
        oldest_in_flight_ms: None,
    }
}

fn totals(provider: &str) -> Totals {
    // Three calls of 0.2 s, one of 200 s.
    let at_most = rollup::BUCKETS_S.iter().map(|bound| if *bound < 0.2 { 0 } else { 3 }).collect();
    let exemplar = TotalsExemplar {
        outcome: "ok",
        seconds: 0.2,
        trace_id: "4bf92f3577b34da6a3ce929d0e0e4736".to_owned(),
        span_id: "0101010101010101".to_owned(),
        at_s: 1_795_378_502.25,
    };
    Totals {
        provider: provider.to_owned(),
        bounds_s: rollup::BUCKETS_S.to_vec(),
        exemplars: vec![exemplar],
        calls: vec![("authorize".to_owned(), "ok", 3), ("authorize".to_owned(), "timeout", 1)],
        durations: vec![Durations { outcome: "ok", sum_s: 200.6, count: 4, at_most }],
    }
}

/// A server over `facts`; its thread ends with it.
struct Daemon {
    server: Server,
    facts: Arc<Known>,
}

fn daemon(facts: Known) -> Daemon {
    daemon_with(facts, None)
}

fn daemon_with(facts: Known, jaeger_ui: Option<&str>) -> Daemon {
    let address: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let jaeger_ui = jaeger_ui.map(str::to_owned);
    let config = Config { listen: address, tls: None, jaeger_ui, writers: None };
    let facts = Arc::new(facts);
    let server = serve(config, listen::bind(address).unwrap(), Arc::clone(&facts) as Arc<dyn Facts>).unwrap();
    Daemon { server, facts }
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn json(&self) -> Value {
        assert_eq!(self.headers["content-type"], "application/json");
        serde_json::from_slice(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Daemon {
    async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, &[]).await
    }

    async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        whole(self.begin(method, path, headers).await).await
    }

    /// Sends a request with a JSON body, or none.
    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let headers: &[(&str, &str)] =
            if body.is_some() { &[("content-type", "application/json")] } else { &[] };
        let body = body.map_or_else(Bytes::new, |body| body.to_string().into());
        whole(send_to(self.server.local_addr(), method, path, headers, body).await).await
    }

    /// Sends a request and returns with the head of the answer.
    async fn begin(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> http::Response<Incoming> {
        begin_at(self.server.local_addr(), method, path, headers).await
    }
}

async fn get_from(address: SocketAddr, path: &str) -> Answer {
    whole(begin_at(address, Method::GET, path, &[]).await).await
}

async fn whole(answer: http::Response<Incoming>) -> Answer {
    let (head, body) = answer.into_parts();
    let body = soon("the body", body.collect()).await.unwrap().to_bytes();
    Answer { status: head.status, headers: head.headers, body }
}

async fn begin_at(
    address: SocketAddr,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
) -> http::Response<Incoming> {
    send_to(address, method, path, headers, Bytes::new()).await
}

async fn send_to(
    address: SocketAddr,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Bytes,
) -> http::Response<Incoming> {
    let stream = soon("connect", TcpStream::connect(address)).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", address.to_string());
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(body)).unwrap();
    soon(path, sender.send_request(request)).await.unwrap()
}

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"))
}

/// The keys of an object, sorted.
fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn sorted<'a>(words: &'a str) -> Vec<&'a str> {
    let mut words: Vec<&'a str> = words.split_whitespace().collect();
    words.sort_unstable();
    words
}
