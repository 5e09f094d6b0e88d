//! A destination against a small OTLP/gRPC server that does what a test tells it to.

mod faults;
mod names;
mod server;
mod wires;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use bytes::Bytes;
use http::HeaderMap;
use spanmill_proto::{grpc, otlp, wire};
use tempfile::TempDir;

use server::{Reply, Server};

use super::*;
use crate::dial::Protocol;
use crate::journal::{self, Durability, Overflow};
use crate::mask::MaskedBatch;

const NOW: u64 = 1_795_378_503_000_000_000;

/// The `ResourceSpans` of a request; in these tests each is one record.
fn split(body: &[u8]) -> Vec<Vec<u8>> {
    let mut fields = wire::Fields::of(body);
    let mut out = Vec::new();
    while let Some(field) = fields.next().unwrap() {
        out.push(body[field.start..field.end].to_vec());
    }
    out
}

/// A request of `spans` spans of about `size` bytes each, told apart by `label`.
fn request(label: &str, spans: usize, size: usize) -> Vec<u8> {
    let mut scope = Vec::new();
    for i in 0..spans {
        let mut span = Vec::new();
        wire::put_bytes(&mut span, otlp::span::NAME, format!("{label}#{i}:{}", "x".repeat(size)).as_bytes());
        wire::put_bytes(&mut scope, otlp::scope_spans::SPANS, &span);
    }
    let (mut resource_spans, mut out) = (Vec::new(), Vec::new());
    wire::put_bytes(&mut resource_spans, otlp::resource_spans::SCOPE_SPANS, &scope);
    wire::put_bytes(&mut out, otlp::request::RESOURCE_SPANS, &resource_spans);
    out
}

fn contains(body: &[u8], text: &str) -> bool {
    body.windows(text.len()).any(|window| window == text.as_bytes())
}

fn open_journal(dir: &Path) -> Journal {
    let config = journal::Config {
        dir: dir.to_owned(),
        segment_size: 1 << 20,
        max_size: 1 << 30,
        max_age: Duration::from_secs(3600),
        durability: Durability::Process,
        overflow: Overflow::Reject,
    };
    journal::start(config, Clock::manual(NOW), Arc::default()).unwrap()
}

fn config(dir: &Path, address: SocketAddr) -> Config {
    Config {
        name: "jaeger".into(),
        target: Target {
            authority: address.to_string().parse().unwrap(),
            protocol: Protocol::Http2,
            tls: None,
        },
        path: grpc::EXPORT.parse().unwrap(),
        endpoint: format!("http://{address}"),
        compression: Compression::None,
        poison_dir: dir.join("poison"),
        headers: vec![("x-tenant".parse().unwrap(), "shop".parse().unwrap())],
        dir: dir.to_owned(),
        request_max: 3_670_016,
        timeout: Duration::from_secs(20),
    }
}

fn begin(config: Config, journal: &Journal) -> Destination {
    start(config, journal, Clock::manual(NOW))
}

/// Appends records of three spans each and returns them.
async fn append(journal: &Journal, label: &str, count: usize, size: usize) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for i in 0..count {
        let bytes = request(&format!("{label}-{i}"), 3, size);
        all.push(bytes.clone());
        journal.append(MaskedBatch::restored(bytes.into(), 3, NOW, 1)).await.unwrap();
    }
    all
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "still not: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn until_settled(destination: &Destination) {
    until("nothing is queued", || destination.status().queued == 0).await;
}

fn sorted(mut records: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    records.sort();
    records
}

/// Each record at least once, and none that was not sent.
fn assert_all_arrived(arrived: Vec<Vec<u8>>, sent: Vec<Vec<u8>>) {
    let mut arrived = sorted(arrived);
    arrived.dedup();
    assert!(arrived == sorted(sent), "what arrived is not what was sent");
}

fn assert_sums(status: &Status, journaled: u64) {
    let settled = status.forwarded + status.not_for_forwarding + status.rejected_by_destination;
    let dropped: u64 = status.dropped.values().sum();
    assert_eq!(status.recovered + journaled, settled + dropped + status.queued, "{status:?}");
}

#[tokio::test]
async fn everything_arrives_byte_for_byte_in_few_requests() {
    let dir = TempDir::new().unwrap();
    let journal = open_journal(dir.path());
    let server = Server::start(|_| Reply::Take).await;
    let destination = begin(config(dir.path(), server.address), &journal);
    let mut sent = append(&journal, "small", 300, 20).await;
    sent.extend(append(&journal, "large", 20, 20_000).await);
    until_settled(&destination).await;
    assert_eq!(sorted(server.records()), sorted(sent));
    assert!(server.requests() < 100, "{} requests for 320 records", server.requests());
    let taken = server.taken();
    let instance = format!("{:032x}/", journal.instance());
    let stretch = |(headers, _): &(HeaderMap, Bytes)| {
        let name = headers["spanmill-batch"].to_str().unwrap().strip_prefix(&instance).unwrap();
        let (begin, end) = name.split_once('-').unwrap();
        (begin.parse::<u64>().unwrap(), end.parse::<u64>().unwrap())
    };
    let mut stretches: Vec<_> = taken.iter().map(stretch).collect();
    stretches.sort_unstable();
    assert_eq!(stretches[0].0, 0);
    assert!(stretches.windows(2).all(|two| two[0].1 <= two[1].0), "{stretches:?}");
    let (headers, _) = &taken[0];
    assert_eq!(headers["spanmill-hop"], "2");
    assert_eq!(headers["content-type"], "application/grpc");
    assert_eq!(headers["x-tenant"], "shop");
    let status = destination.status();
    assert_eq!((status.forwarded, status.duplicates, status.lag_s), (960, 0, 0.0));
    assert_sums(&status, 960);
}

#[tokio::test]
async fn what_waits_for_an_absent_destination_is_sent_when_it_comes() {
    let dir = TempDir::new().unwrap();
    let journal = open_journal(dir.path());
    let address = Server::start(|_| Reply::Take).await.address;
    let destination = begin(config(dir.path(), address), &journal);
    let sent = append(&journal, "early", 50, 1000).await;
    until("the failure shows", || destination.status().last_error.is_some()).await;
    let status = destination.status();
    assert_eq!((status.queued, status.forwarded), (150, 0));
    assert_sums(&status, 150);
    let server = bind_again(address).await;
    until_settled(&destination).await;
    assert_eq!(sorted(server.records()), sorted(sent));
    let status = destination.status();
    assert_eq!((status.forwarded, status.duplicates, status.last_error), (150, 0, None));
}

/// The port may be held a moment longer by the connections that were closed.
async fn bind_again(address: SocketAddr) -> Server {
    until("the port is free", || std::net::TcpListener::bind(address).is_ok()).await;
    Server::start_at(address).await
}

#[tokio::test]
async fn a_destination_that_dies_and_returns_loses_nothing() {
    let dir = TempDir::new().unwrap();
    let journal = open_journal(dir.path());
    let mut count = 0;
    let server = Server::start(move |_| {
        count += 1;
        if count % 3 == 0 { Reply::TakeAndDie } else { Reply::Take }
    })
    .await;
    let destination = begin(Config { request_max: 20_000, ..config(dir.path(), server.address) }, &journal);
    let sent = append(&journal, "record", 200, 500).await;
    until_settled(&destination).await;
    assert_all_arrived(server.records(), sent);
    let status = destination.status();
    assert_eq!(status.forwarded, 600);
    assert!(status.duplicates > 0);
    assert_sums(&status, 600);
}

#[tokio::test]
async fn what_is_refused_for_now_is_sent_again() {
    let dir = TempDir::new().unwrap();
    let journal = open_journal(dir.path());
    let mut codes = [
        grpc::Code::Unavailable,
        grpc::Code::DeadlineExceeded,
        grpc::Code::Unauthenticated,
        grpc::Code::Unimplemented,
    ]
    .into_iter();
    let server = Server::start(move |_| codes.next().map_or(Reply::Take, Reply::Status)).await;
    let destination = begin(config(dir.path(), server.address), &journal);
    let sent = append(&journal, "record", 20, 100).await;
    until_settled(&destination).await;
    assert_eq!(sorted(server.records()), sorted(sent));
    let status = destination.status();
    assert_eq!((status.forwarded, status.rejected_by_destination, status.duplicates), (60, 0, 0));
}

#[tokio::test]
async fn spans_that_the_destination_rejects_in_part_are_counted() {
    let dir = TempDir::new().unwrap();
    let journal = open_journal(dir.path());
    let mut first = true;
    let server =
        Server::start(move |_| if std::mem::take(&mut first) { Reply::TakePartly(2) } else { Reply::Take })
            .await;
    let destination = begin(config(dir.path(), server.address), &journal);
    append(&journal, "record", 20, 100).await;
    until_settled(&destination).await;
    let status = destination.status();
    assert_eq!((status.forwarded, status.rejected_by_destination), (58, 2));
    assert_sums(&status, 60);
}

#[tokio::test]
async fn one_poison_record_is_found_counted_and_passed() {
    let dir = TempDir::new().unwrap();
    let journal = open_journal(dir.path());
    let poison = |body: &[u8]| contains(body, "record-77#") || contains(body, "record-150#");
    let server =
        Server::start(
            move |body| {
                if poison(body) { Reply::Status(grpc::Code::InvalidArgument) } else { Reply::Take }
            },
        )
        .await;
    let destination = begin(config(dir.path(), server.address), &journal);
    let mut sent = append(&journal, "record", 200, 100).await;
    until_settled(&destination).await;
    sent.retain(|record| !poison(record));
    assert_eq!(sent.len(), 198);
    assert_eq!(sorted(server.records()), sorted(sent));
    let status = destination.status();
    assert_eq!((status.forwarded, status.rejected_by_destination), (594, 6));
    assert_sums(&status, 600);
}

#[tokio::test]
async fn a_destination_that_refuses_everything_is_not_asked_record_by_record() {
    let dir = TempDir::new().unwrap();
    let journal = open_journal(dir.path());
    let server = Server::start(|_| Reply::Status(grpc::Code::InvalidArgument)).await;
    let destination = begin(config(dir.path(), server.address), &journal);
    append(&journal, "record", 1000, 10).await;
    until_settled(&destination).await;
    let status = destination.status();
    assert_eq!((status.forwarded, status.rejected_by_destination), (0, 3000));
    assert!(server.requests() < 200, "{} requests", server.requests());
    assert_sums(&status, 3000);
}

#[tokio::test]
async fn requests_shrink_to_what_the_destination_takes() {
    let dir = TempDir::new().unwrap();
    let journal = open_journal(dir.path());
    let limit = 200_000;
    let server = Server::start(move |body| {
        if body.len() > limit { Reply::Status(grpc::Code::ResourceExhausted) } else { Reply::Take }
    })
    .await;
    let destination = begin(config(dir.path(), server.address), &journal);
    let sent = append(&journal, "record", 100, 10_000).await;
    // One record has to be cut, one holds a single span that nobody takes.
    let wide = request("wide", 50, 9_000);
    journal.append(MaskedBatch::restored(wide.into(), 50, NOW, 0)).await.unwrap();
    let huge = request("huge", 1, 300_000);
    journal.append(MaskedBatch::restored(huge.into(), 1, NOW, 0)).await.unwrap();
    until_settled(&destination).await;
    let status = destination.status();
    assert_eq!((status.forwarded, status.rejected_by_destination), (350, 1));
    let records = server.records();
    assert!(sent.iter().all(|record| records.contains(record)));
    let all = records.concat();
    assert!((0..50).all(|i| contains(&all, &format!("wide#{i}:"))));
}

#[tokio::test]
async fn a_record_larger_than_a_request_is_cut_at_span_boundaries() {
    let dir = TempDir::new().unwrap();
    let journal = open_journal(dir.path());
    let server = Server::start(|_| Reply::Take).await;
    let destination = begin(Config { request_max: 50_000, ..config(dir.path(), server.address) }, &journal);
    journal.append(MaskedBatch::restored(request("wide", 100, 3_000).into(), 100, NOW, 0)).await.unwrap();
    until_settled(&destination).await;
    assert_eq!(destination.status().forwarded, 100);
    let taken = server.taken();
    assert!(taken.len() >= 6 && taken.iter().all(|(_, body)| body.len() <= 50_000));
    let spans: u64 = taken.iter().map(|(_, body)| otlp::count_spans(body).unwrap()).map(u64::from).sum();
    assert_eq!(spans, 100);
}

#[tokio::test]
async fn a_restart_goes_on_where_the_last_run_stopped() {
    let dir = TempDir::new().unwrap();
    let server = Server::start(|_| Reply::Take).await;
    let mut sent = Vec::new();
    for round in 0..3 {
        let journal = open_journal(dir.path());
        let destination = begin(config(dir.path(), server.address), &journal);
        assert_eq!(destination.status().recovered, 0);
        sent.extend(append(&journal, &format!("round-{round}"), 20, 100).await);
        // Without waiting for the linger: stopping sends what there is.
        destination.stop(Duration::from_secs(20)).await;
        assert_eq!(destination.status().queued, 0);
        journal.close().await;
    }
    assert_eq!(sorted(server.records()), sorted(sent));
}

#[tokio::test]
async fn what_waited_when_the_process_ended_is_recovered() {
    let dir = TempDir::new().unwrap();
    let journal = open_journal(dir.path());
    let address = Server::start(|_| Reply::Take).await.address;
    let destination = begin(config(dir.path(), address), &journal);
    let sent = append(&journal, "record", 30, 100).await;
    destination.stop(Duration::from_secs(20)).await;
    assert_sums(&destination.status(), 90);
    journal.close().await;
    drop((destination, journal));
    let journal = open_journal(dir.path());
    let server = bind_again(address).await;
    let destination = begin(config(dir.path(), address), &journal);
    until_settled(&destination).await;
    let status = destination.status();
    assert_eq!((status.recovered, status.forwarded), (90, 90));
    assert_sums(&status, 0);
    assert_eq!(sorted(server.records()), sorted(sent));
}

#[tokio::test]
async fn the_checkpoint_stays_before_a_request_without_an_answer() {
    let dir = TempDir::new().unwrap();
    let journal = open_journal(dir.path());
    let server =
        Server::start(|body| if contains(body, "record-0#") { Reply::Hang } else { Reply::Take }).await;
    let config = Config { request_max: 2_000, ..config(dir.path(), server.address) };
    let destination = begin(config.clone(), &journal);
    let sent = append(&journal, "record", 40, 300).await;
    until("all others are taken", || server.records().len() >= 38).await;
    let first = server.records();
    assert!(!first.contains(&sent[0]));
    // A stuck destination is waited for no longer than allowed.
    destination.stop(Duration::from_millis(50)).await;
    assert!(destination.status().queued >= 3);
    drop(destination);
    server.now_replies(|_| Reply::Take);
    let destination = begin(config, &journal);
    assert_eq!(destination.status().recovered, 120);
    until_settled(&destination).await;
    assert_all_arrived(server.records(), sent);
}

#[tokio::test]
async fn an_answer_that_never_comes_is_a_failure_after_the_timeout() {
    let dir = TempDir::new().unwrap();
    let journal = open_journal(dir.path());
    let mut first = true;
    let server =
        Server::start(move |_| if std::mem::take(&mut first) { Reply::Hang } else { Reply::Take }).await;
    let timeout = Duration::from_millis(100);
    let destination = begin(Config { timeout, ..config(dir.path(), server.address) }, &journal);
    let sent = append(&journal, "record", 5, 100).await;
    until_settled(&destination).await;
    assert_eq!(sorted(server.records()), sorted(sent));
    let status = destination.status();
    assert_eq!((status.forwarded, status.duplicates), (15, 15), "the first try may have been taken");
}

#[tokio::test]
async fn the_journal_keeps_what_a_destination_has_not_taken() {
    let dir = TempDir::new().unwrap();
    let limits = journal::Config {
        dir: dir.path().to_owned(),
        segment_size: 1 << 20,
        max_size: 100_000,
        max_age: Duration::from_secs(3600),
        durability: Durability::Process,
        overflow: Overflow::Reject,
    };
    let journal = journal::start(limits, Clock::manual(NOW), Arc::default()).unwrap();
    let server = Server::start(|_| Reply::Status(grpc::Code::Unavailable)).await;
    let destination = begin(config(dir.path(), server.address), &journal);
    let mut sent = Vec::new();
    let full = loop {
        let bytes = request(&format!("record-{}", sent.len()), 3, 3_000);
        match journal.append(MaskedBatch::restored(bytes.clone().into(), 3, NOW, 0)).await {
            Ok(_) => sent.push(bytes),
            Err(refused) => break refused,
        }
    };
    assert_eq!(full, journal::Refused::Full { max_size: 100_000 });
    server.now_replies(|_| Reply::Take);
    until_settled(&destination).await;
    assert_eq!(sorted(server.records()), sorted(sent));
    let bytes = MaskedBatch::restored(request("later", 3, 3_000).into(), 3, NOW, 0);
    // Room is made when the checkpoint is on disk.
    let deadline = Instant::now() + Duration::from_secs(30);
    while journal.append(bytes.clone()).await.is_err() {
        assert!(Instant::now() < deadline, "still full");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_new_destination_starts_with_what_comes_and_a_lost_checkpoint_with_all_there_is() {
    let dir = TempDir::new().unwrap();
    let journal = open_journal(dir.path());
    let old = append(&journal, "old", 10, 100).await;
    let server = Server::start(|_| Reply::Take).await;
    let destination = begin(config(dir.path(), server.address), &journal);
    let new = append(&journal, "new", 10, 100).await;
    until_settled(&destination).await;
    assert_eq!(sorted(server.records()), sorted(new.clone()));
    destination.stop(Duration::from_secs(20)).await;
    drop(destination);
    fs::write(dir.path().join("jaeger.checkpoint"), "nonsense").unwrap();
    let destination = begin(config(dir.path(), server.address), &journal);
    assert_eq!(destination.status().recovered, 60);
    until_settled(&destination).await;
    assert_all_arrived(server.records(), [old, new].concat());
}

#[tokio::test]
async fn the_checkpoint_of_another_journal_is_not_believed() {
    let dir = TempDir::new().unwrap();
    let journal = open_journal(dir.path());
    let server = Server::start(|_| Reply::Take).await;
    let destination = begin(config(dir.path(), server.address), &journal);
    append(&journal, "first", 50, 1000).await;
    destination.stop(Duration::from_secs(20)).await;
    journal.close().await;
    drop((destination, journal));
    for entry in fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "segment") {
            fs::remove_file(path).unwrap();
        }
    }
    let journal = open_journal(dir.path());
    let sent = append(&journal, "second", 5, 100).await;
    let destination = begin(config(dir.path(), server.address), &journal);
    until_settled(&destination).await;
    assert!(sent.iter().all(|record| server.records().contains(record)));
}
