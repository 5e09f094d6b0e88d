//! A daemon that is absent, stuck, restarted or flooded: the program goes on, and every span is accounted for.

#![allow(clippy::unwrap_used)] // in what the tests share; see clippy.toml

mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use spanmill::{Guard, Provider, Reason, Span};
use spanmill_proto::hello::{ClientCounters, Hello};
use spanmill_proto::local::Kind;
use spanmill_proto::open_calls::SLOTS_RUST;
use support::{Daemon, PATIENCE, listen, turn, wait_until};

static ACME: Provider = Provider::new("acme-bank");

fn client(socket: &Path) -> Guard {
    spanmill::builder()
        .service("shop")
        .socket(socket)
        .flush_interval(Duration::from_millis(10))
        .init()
        .unwrap()
}

fn call_many(count: usize) {
    for _ in 0..count {
        let mut call = ACME.call("authorize");
        call.tag("payment.scheme", "visa")
            .tag("order", 7)
            .tag("url", "https://api.acme.example/v1/authorize");
        call.log("response", |log| log.tag("code", 5));
        call.ok();
    }
}

#[test]
fn without_a_daemon_spans_are_counted_and_the_program_ends_at_once() {
    let (_turn, folder) = (turn(), tempfile::tempdir().unwrap());
    let guard = client(&folder.path().join("nobody"));
    call_many(1000);
    assert_eq!(spanmill::stats().recorded, 1000);
    let report = guard.shutdown(Duration::MAX);
    assert_eq!((report.sent, report.dropped.by(Reason::NoDaemon)), (0, 1000));
}

#[test]
fn what_waits_longer_than_it_is_held_is_dropped() {
    let (_turn, folder) = (turn(), tempfile::tempdir().unwrap());
    let socket = folder.path().join("nobody");
    let _guard = spanmill::builder().socket(socket).hold(Duration::from_millis(20)).init().unwrap();
    call_many(10);
    wait_until("ten spans are dropped", || spanmill::stats().dropped.by(Reason::NoDaemon) == 10);
    assert_eq!(spanmill::stats().queued(), 0);
}

#[test]
fn a_daemon_that_comes_later_gets_what_was_held() {
    let (_turn, folder) = (turn(), tempfile::tempdir().unwrap());
    let socket = folder.path().join("sock");
    let guard = client(&socket);
    call_many(10);
    let daemon = Daemon::start(&socket);
    daemon.wait_for(10);
    assert_eq!(guard.shutdown(PATIENCE).sent, 10);
}

#[test]
fn a_daemon_that_is_restarted_is_found_again() {
    let (_turn, folder) = (turn(), tempfile::tempdir().unwrap());
    let socket = folder.path().join("sock");
    let first = Daemon::start(&socket);
    let guard = client(&socket);
    call_many(10);
    first.wait_for(10);
    drop(first);
    call_many(10);
    assert!(!spanmill::flush(Duration::from_millis(50)), "nobody is there to take them");
    let second = Daemon::start(&socket);
    second.wait_for(10);
    assert_eq!(spanmill::stats().connections, 2);
    let report = guard.shutdown(PATIENCE);
    assert_eq!((report.sent, report.dropped.total()), (20, 0));
}

#[test]
fn a_stuck_daemon_blocks_nobody_and_every_span_is_accounted_for() {
    let (_turn, folder) = (turn(), tempfile::tempdir().unwrap());
    let socket = folder.path().join("sock");
    let _stuck = listen(&socket);
    let guard = spanmill::builder()
        .socket(&socket)
        .queue_bytes(1 << 20)
        .hold(Duration::from_secs(3600))
        .init()
        .unwrap();
    call_many(50_000);
    wait_until("the queue is full", || {
        call_many(100);
        spanmill::stats().dropped.by(Reason::QueueFull) > 0
    });
    let recorded = spanmill::stats().recorded;
    let report = guard.shutdown(Duration::from_millis(100));
    assert_eq!(report.sent + report.dropped.total(), recorded);
    assert!(report.sent > 0, "the kernel took some before its buffers were full");
    assert!(report.dropped.by(Reason::Send) > 0, "what waited was given up at the deadline");
}

#[test]
fn a_burst_arrives_whole_or_is_counted() {
    const THREADS: usize = 4;
    const EACH: usize = 25_000;
    let (_turn, folder) = (turn(), tempfile::tempdir().unwrap());
    let socket = folder.path().join("sock");
    let daemon = Daemon::start(&socket);
    let guard = client(&socket);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| call_many(EACH));
        }
    });
    let report = guard.shutdown(PATIENCE);
    assert_eq!(report.sent + report.dropped.total(), (THREADS * EACH) as u64);
    let spans = daemon.wait_for(report.sent as usize);
    assert_eq!(spans.len() as u64, report.sent);
    let ids: std::collections::HashSet<_> = spans.iter().map(|span| span.span_id.clone()).collect();
    assert_eq!(ids.len(), spans.len(), "no span came twice");
    let packets = daemon.packets();
    let sequence: Vec<_> = packets.iter().map(|packet| packet.header.sequence).collect();
    assert_eq!(sequence, (0..packets.len() as u32).collect::<Vec<_>>(), "no gap");
    let of_spans = daemon.of_kind(Kind::Spans);
    assert!(of_spans.iter().all(|packet| packet.header.sent_unix_ns > spans[0].start_time_unix_nano));
}

#[test]
fn what_is_open_shows_before_anything_has_ended() {
    let (_turn, folder) = (turn(), tempfile::tempdir().unwrap());
    let socket = folder.path().join("sock");
    let first = Daemon::start(&socket);
    let _guard = client(&socket);
    let call = ACME.call("authorize");
    let request = Span::builder("GET").client().peer("api.other.example", Some(443)).start();
    let attempt = Span::builder("POST").client().peer("api.acme.example", None);
    let attempt = {
        let _in_call = call.enter();
        attempt.start()
    };
    wait_until("both show", || {
        first.open_calls() == ["Provider(\"acme-bank\") authorize", "Address(\"api.other.example\", 443) "]
    });
    let hello = &first.of_kind(Kind::Hello)[0];
    let hello = Hello::decode(&hello.payload).unwrap();
    assert_eq!((hello.pid, hello.page_slots as usize), (std::process::id(), SLOTS_RUST));
    assert!(hello.resource.windows(4).any(|bytes| bytes == b"shop"));
    drop(first);
    let second = Daemon::start(&socket);
    wait_until("they show to the next daemon as well", || second.open_calls().len() == 2);
    drop(attempt);
    drop(request);
    call.ok();
    assert!(second.open_calls().is_empty(), "at once, though no span was sent yet");
}

#[test]
fn what_was_dropped_is_reported_to_the_daemon() {
    let (_turn, folder) = (turn(), tempfile::tempdir().unwrap());
    let socket = folder.path().join("sock");
    let guard = spanmill::builder().socket(&socket).hold(Duration::ZERO).init().unwrap();
    call_many(10);
    wait_until("ten spans are dropped", || spanmill::stats().dropped.by(Reason::NoDaemon) == 10);
    let daemon = Daemon::start(&socket);
    wait_until("somebody is connected", || !daemon.of_kind(Kind::Hello).is_empty());
    drop(guard);
    wait_until("the counters came", || !daemon.of_kind(Kind::Counters).is_empty());
    let packets = daemon.of_kind(Kind::Counters);
    let told = packets.iter().flat_map(|packet| ClientCounters::decode(&packet.payload).unwrap().dropped);
    assert_eq!(told.collect::<Vec<_>>(), [("no_daemon", 10)]);
}

#[test]
fn a_call_that_ends_after_the_shutdown_counts_as_closed() {
    let (_turn, folder) = (turn(), tempfile::tempdir().unwrap());
    let guard = client(&folder.path().join("nobody"));
    let late = ACME.call("authorize");
    assert_eq!(guard.shutdown(Duration::ZERO).dropped.total(), 0);
    late.ok();
    let stats = spanmill::stats();
    assert_eq!((stats.recorded, stats.dropped.by(Reason::Closed)), (1, 1));
    let _next = client(&folder.path().join("nobody"));
    assert_eq!(spanmill::stats().recorded, 0, "the next client has counters of its own");
}

#[test]
fn a_flush_sends_before_the_interval_is_over() {
    let (_turn, folder) = (turn(), tempfile::tempdir().unwrap());
    let socket = folder.path().join("sock");
    let daemon = Daemon::start(&socket);
    let interval = Duration::from_secs(3600);
    let _guard = spanmill::builder().socket(&socket).flush_interval(interval).init().unwrap();
    call_many(3);
    let before = Instant::now();
    assert!(spanmill::flush(PATIENCE));
    assert!(before.elapsed() < interval);
    assert_eq!(daemon.wait_for(3).len(), 3);
}
