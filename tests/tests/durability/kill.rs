//! kill -9 and SIGTERM under load: what was acknowledged is in Jaeger in the end, and nothing is counted twice.

use std::collections::BTreeMap;
use std::iter;

use spanmill_tests::daemon::Daemon;
use spanmill_tests::jaeger::Jaeger;
use spanmill_tests::program;
use spanmill_tests::senders::{SPANS_PER_REQUEST, Senders, Sent};
use spanmill_tests::sums::sums_hold;
use spanmill_tests::wait::{self, PATIENCE};

use super::number;

const SENDERS: usize = 4;
/// Requests acknowledged between two kills.
const BETWEEN: usize = 40;

#[test]
#[ignore = "end to end: tests/run e2e"]
fn nothing_acknowledged_is_lost_by_kill_9_while_jaeger_is_down() {
    if program::tool("jaeger").is_none() {
        return;
    }
    let otlp = program::free_address();
    let mut daemon = Daemon::builder().forwarding_to(otlp).start();
    let senders = Senders::start(iter::repeat_n(daemon.http(), SENDERS));
    let kills = number("SPANMILL_KILLS", 20);
    for _ in 0..kills {
        senders.wait_for(BETWEEN);
        daemon.kill_9_and_restart();
    }
    let sent = senders.stop();
    let acknowledged = &sent.acknowledged;

    let jaeger = Jaeger::start_at(otlp).expect("its program is there");
    wait_for_all(&jaeger, acknowledged);
    for id in acknowledged {
        let spans = jaeger.spans(id).len() as u64;
        assert_eq!(spans, SPANS_PER_REQUEST, "{id}: sent again must be the same bytes");
    }
    let stats = sums_hold(&daemon, |stats| stats["destinations"]["jaeger"]["queued"] == 0);
    assert_eq!(stats["journal"]["corrupt_records"], 0, "{stats}");
    // A request that was written but not answered counts, too: at most one of each sender at each kill. The figures
    // are exactly those of what is in the journal, which is what reached Jaeger.
    let least = SPANS_PER_REQUEST * acknowledged.len() as u64;
    let most = least + SPANS_PER_REQUEST * (SENDERS * kills) as u64;
    let calls = calls(&daemon);
    assert!((least..=most).contains(&calls), "{calls} of {least} acknowledged");
    assert_eq!(calls, spans_of(&jaeger, &sent));
}

#[test]
#[ignore = "end to end: tests/run e2e"]
fn sigterm_under_load_ends_with_zero_in_time_and_everything_acknowledged_delivered_or_kept() {
    let Some(jaeger) = Jaeger::start() else { return };
    let mut daemon = Daemon::builder().forwarding_to(jaeger.otlp()).start();
    let senders = Senders::start(iter::repeat_n(daemon.http(), SENDERS));
    for _ in 0..number("SPANMILL_STOPS", 3) {
        senders.wait_for(BETWEEN);
        assert_eq!(daemon.terminate().code(), Some(0), "{}", daemon.log());
        daemon.restart();
    }
    let acknowledged = senders.stop().acknowledged;
    wait_for_all(&jaeger, &acknowledged);
    sums_hold(&daemon, |stats| stats["destinations"]["jaeger"]["queued"] == 0);
}

/// All calls of the bank in the last 15 minutes.
pub fn calls(daemon: &Daemon) -> u64 {
    let board = daemon.json("/api/v1/providers?window=15m");
    let providers = board["providers"].as_array().cloned().unwrap_or_default();
    let bank = providers.iter().find(|provider| provider["name"] == "acme-bank.example");
    bank.and_then(|bank| bank["count"].as_u64()).unwrap_or_default()
}

/// What Jaeger has of all that was sent.
pub fn spans_of(jaeger: &Jaeger, sent: &Sent) -> u64 {
    let ids = sent.acknowledged.iter().chain(&sent.unanswered);
    ids.map(|id| jaeger.spans(id).len() as u64).sum()
}

/// Waits until Jaeger has every span of these traces.
#[track_caller]
pub fn wait_for_all(jaeger: &Jaeger, acknowledged: &[String]) {
    let mut missing: BTreeMap<&String, usize> = acknowledged.iter().map(|id| (id, 0)).collect();
    wait::until("every acknowledged span in Jaeger", PATIENCE, || {
        missing.retain(|id, found| {
            *found = jaeger.spans(id).len();
            *found < SPANS_PER_REQUEST as usize
        });
        if missing.is_empty() { Ok(()) } else { Err(missing.clone()) }
    });
}
