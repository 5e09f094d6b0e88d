//! Jaeger goes down under load and comes back: what it had not acknowledged arrives.

use std::collections::BTreeSet;
use std::time::Duration;

use prost::Message;
use spanmill_tests::daemon::Daemon;
use spanmill_tests::jaeger::Jaeger;
use spanmill_tests::program;
use spanmill_tests::spans::{call, hex, request, trace_id};
use spanmill_tests::sums::sums_hold;
use spanmill_tests::wait::{self, PATIENCE};

const SPANS: u64 = 5;

/// Sends `count` traces and gives their ids.
fn send(daemon: &Daemon, count: usize) -> BTreeSet<String> {
    let one = |_| {
        let id = trace_id();
        let spans = (0..SPANS).map(|n| call(&id, n, "api.acme-bank.example", Duration::from_millis(9)));
        daemon.send(request(spans.collect()).encode_to_vec());
        hex(&id)
    };
    (0..count).map(one).collect()
}

#[track_caller]
fn all_arrive(jaeger: &Jaeger, sent: &BTreeSet<String>) {
    let mut missing = sent.clone();
    wait::until("every acknowledged trace in Jaeger", PATIENCE, || {
        missing.retain(|id| jaeger.spans(id).len() as u64 != SPANS);
        if missing.is_empty() { Ok(()) } else { Err(missing.len()) }
    });
}

#[test]
#[ignore = "end to end: tests/run e2e"]
fn jaeger_goes_down_twice_under_load_and_gets_all_that_it_missed() {
    if program::tool("jaeger").is_none() {
        return;
    }
    let otlp = program::free_address();
    let daemon = Daemon::builder().forwarding_to(otlp).start();
    let mut sent = send(&daemon, 40);
    for _ in 0..2 {
        let jaeger = Jaeger::start_at(otlp).expect("its program is there");
        sent.extend(send(&daemon, 40));
        all_arrive(&jaeger, &sent);
        // What this one has is gone with it; what comes from here on is for the next.
        sums_hold(&daemon, |stats| stats["destinations"]["jaeger"]["queued"] == 0);
        drop(jaeger);
        sent = send(&daemon, 40);
        let failed = |stats: &serde_json::Value| !stats["destinations"]["jaeger"]["last_error"].is_null();
        let down = sums_hold(&daemon, failed);
        assert_eq!(down["destinations"]["jaeger"]["queued"], 40 * SPANS, "{down}");
    }
    let ready = daemon.get("/readyz");
    assert!(ready.status().is_success(), "a dead Jaeger is no reason to take a daemon out: {ready:?}");
    let jaeger = Jaeger::start_at(otlp).expect("its program is there");
    all_arrive(&jaeger, &sent);
}
