//! A journal that is full of what Jaeger does not take: senders are told, the board goes on, and all is in order after.

use std::time::Duration;

use prost::Message;
use spanmill_tests::daemon::Daemon;
use spanmill_tests::jaeger::Jaeger;
use spanmill_tests::program;
use spanmill_tests::spans::{call, request, text, trace_id, with};
use spanmill_tests::sums::sums_hold;
use spanmill_tests::wait::{self, PATIENCE};

use super::kill::calls;

const HEADERS: [(&str, &str); 1] = [("content-type", "application/x-protobuf")];
/// Bytes of one request, nearly all of them in one attribute.
const REQUEST: usize = 1 << 20;

fn large() -> Vec<u8> {
    let one = call(&trace_id(), 0, "api.acme-bank.example", Duration::from_millis(9));
    request(vec![with(one, text("note", &"n".repeat(REQUEST)))]).encode_to_vec()
}

/// Sends until the journal is full; what was refused, and how many were not.
fn fill(daemon: &Daemon) -> (Vec<u8>, u64) {
    for sent in 0.. {
        let body = large();
        let answer = daemon.post(&HEADERS, body.clone());
        if answer.status() == 503 {
            assert_eq!(answer.headers()["retry-after"], "1");
            return (body, sent);
        }
        assert!(answer.status().is_success(), "{answer:?}");
    }
    unreachable!()
}

#[test]
#[ignore = "end to end: tests/run e2e"]
fn what_a_full_journal_refuses_is_on_the_board_once_and_in_jaeger_when_it_came_again() {
    if program::tool("jaeger").is_none() {
        return;
    }
    let otlp = program::free_address();
    let daemon = Daemon::builder().forwarding_to(otlp).with("[journal]\nmax_size = \"64MiB\"\n").start();
    let (refused, kept) = fill(&daemon);
    for _ in 0..5 {
        assert_eq!(daemon.post(&HEADERS, refused.clone()).status(), 503);
    }
    daemon.wait_for_calls("acme-bank.example", kept + 1, PATIENCE);
    assert_eq!(calls(&daemon), kept + 1);
    let ready = daemon.get("/readyz");
    assert!(ready.status().is_success(), "it still takes, judges and answers");
    assert!(ready.text().expect("text").contains("the journal is full"));
    assert_eq!(daemon.json("/api/v1/stats")["received"], kept);

    let _jaeger = Jaeger::start_at(otlp).expect("its program is there");
    wait::until("there is room again", PATIENCE, || {
        let answer = daemon.post(&HEADERS, refused.clone());
        if answer.status().is_success() { Ok(()) } else { Err(answer.status()) }
    });
    let stats = sums_hold(&daemon, |stats| stats["destinations"]["jaeger"]["queued"] == 0);
    assert_eq!(stats["received"], kept + 1, "{stats}");
    assert_eq!(calls(&daemon), kept + 1, "the roll-up had it already");
}

#[test]
#[ignore = "end to end: tests/run e2e"]
fn where_the_oldest_is_dropped_nobody_is_refused_and_every_span_is_accounted_for() {
    if program::tool("jaeger").is_none() {
        return;
    }
    let otlp = program::free_address();
    let journal = "[journal]\nmax_size = \"64MiB\"\noverflow = \"drop_oldest\"\n";
    let daemon = Daemon::builder().forwarding_to(otlp).with(journal).start();
    let sent = 2 * (64 << 20) / REQUEST as u64;
    for _ in 0..sent {
        daemon.send(large());
    }
    let stats = daemon.json("/api/v1/stats");
    assert!(stats["journal"]["bytes"].as_u64() <= Some(80 << 20), "{stats}");
    let _jaeger = Jaeger::start_at(otlp).expect("its program is there");
    let stats = sums_hold(&daemon, |stats| stats["destinations"]["jaeger"]["queued"] == 0);
    let destination = &stats["destinations"]["jaeger"];
    let dropped = destination["dropped"]["expired"].as_u64().unwrap_or_default();
    assert!((sent / 4..sent * 3 / 4).contains(&dropped), "{stats}");
    assert_eq!(destination["forwarded"].as_u64(), Some(sent - dropped), "{stats}");
    assert_eq!(stats["received"], sent, "{stats}");
}
