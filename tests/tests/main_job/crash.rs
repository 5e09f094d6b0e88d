//! kill -9: what was acknowledged is in Jaeger in the end, and nothing is counted twice.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use prost::Message;
use reqwest::blocking::Client;
use spanmill_tests::daemon::Daemon;
use spanmill_tests::jaeger::Jaeger;
use spanmill_tests::program;
use spanmill_tests::spans::{call, hex, request, trace_id};
use spanmill_tests::wait::{self, PATIENCE};

use super::figures::sums_hold;

const SENDERS: usize = 4;
const SPANS_PER_REQUEST: u64 = 5;
const KILLS: usize = 3;
/// Requests acknowledged between two kills.
const BETWEEN: usize = 60;

/// Trace ids of requests that the daemon has acknowledged.
type Acknowledged = Arc<Mutex<Vec<String>>>;

#[test]
#[ignore = "end to end: tests/run e2e"]
fn nothing_acknowledged_is_lost_by_kill_9_while_jaeger_is_down() {
    if program::tool("jaeger").is_none() {
        return;
    }
    let otlp = program::free_address();
    let mut daemon = Daemon::builder().forwarding_to(otlp).start();
    let acknowledged = Acknowledged::default();
    let stop = Arc::new(AtomicBool::new(false));
    let senders: Vec<_> = (0..SENDERS)
        .map(|_| {
            let (acknowledged, stop) = (Arc::clone(&acknowledged), Arc::clone(&stop));
            let url = format!("http://{}/v1/traces", daemon.http());
            thread::spawn(move || send_until(&stop, &url, &acknowledged))
        })
        .collect();
    for _ in 0..KILLS {
        let enough = count(&acknowledged) + BETWEEN;
        wait::until("requests are acknowledged", PATIENCE, || {
            let count = count(&acknowledged);
            if count >= enough { Ok(()) } else { Err(count) }
        });
        daemon.kill_9_and_restart();
    }
    stop.store(true, Ordering::Relaxed);
    for sender in senders {
        sender.join().expect("a sender does not panic");
    }

    let jaeger = Jaeger::start_at(otlp).expect("its program is there");
    let acknowledged = acknowledged.lock().expect("nobody panicked").clone();
    let mut missing: BTreeMap<&String, usize> = acknowledged.iter().map(|id| (id, 0)).collect();
    wait::until("every acknowledged span in Jaeger", PATIENCE, || {
        missing.retain(|id, found| {
            *found = jaeger.spans(id).len();
            *found < SPANS_PER_REQUEST as usize
        });
        if missing.is_empty() { Ok(()) } else { Err(missing.clone()) }
    });
    for id in &acknowledged {
        assert_eq!(
            jaeger.spans(id).len() as u64,
            SPANS_PER_REQUEST,
            "{id}: sent again must be the same bytes"
        );
    }
    let stats = sums_hold(&daemon, |stats| stats["destinations"]["jaeger"]["queued"] == 0);
    assert_eq!(stats["journal"]["corrupt_records"], 0, "{stats}");
    let calls = SPANS_PER_REQUEST * acknowledged.len() as u64;
    let provider = daemon.wait_for_calls("acme-bank.example", calls, PATIENCE);
    // A request that was written but not answered counts, too: at most one of each sender at each kill.
    let most = calls + SPANS_PER_REQUEST * (SENDERS * KILLS) as u64;
    assert!(provider["count"].as_u64() <= Some(most), "{provider} of {calls} acknowledged");
}

#[test]
#[ignore = "end to end: tests/run e2e"]
fn sigterm_ends_with_zero_and_everything_acknowledged_delivered_or_kept() {
    let Some(jaeger) = Jaeger::start() else { return };
    let mut daemon = Daemon::builder().forwarding_to(jaeger.otlp()).start();
    let trace_id = trace_id();
    let spans = (0..20).map(|n| call(&trace_id, n, "api.acme-bank.example", Duration::from_millis(9)));
    daemon.send(request(spans.collect()).encode_to_vec());
    assert_eq!(daemon.terminate().code(), Some(0), "{}", daemon.log());
    assert_eq!(jaeger.wait_for_spans(&hex(&trace_id), 20).len(), 20);
}

fn count(acknowledged: &Acknowledged) -> usize {
    acknowledged.lock().expect("nobody panicked").len()
}

/// Sends one request after the other, across the daemon's deaths; one trace each.
fn send_until(stop: &AtomicBool, url: &str, acknowledged: &Acknowledged) {
    // Without a pool: a connection of before the kill must not cost the first request after it.
    let client = Client::builder().pool_max_idle_per_host(0).timeout(PATIENCE).build().expect("a client");
    while !stop.load(Ordering::Relaxed) {
        let trace_id = trace_id();
        let spans = (0..SPANS_PER_REQUEST)
            .map(|n| call(&trace_id, n, "api.acme-bank.example", Duration::from_millis(25)))
            .collect();
        let post = client.post(url).header("content-type", "application/x-protobuf");
        match post.body(request(spans).encode_to_vec()).send() {
            Ok(answer) if answer.status().is_success() => {
                acknowledged.lock().expect("nobody panicked").push(hex(&trace_id));
            }
            _ => thread::yield_now(),
        }
    }
}
