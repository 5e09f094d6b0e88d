//! What the API says of the spans it was given, and when.

use std::time::Duration;

use prost::Message;
use spanmill_tests::daemon::Daemon;
use spanmill_tests::jaeger::Jaeger;
use spanmill_tests::program;
use spanmill_tests::spans::{call, int, request, text, trace_id, with};
pub use spanmill_tests::sums::sums_hold;
use spanmill_tests::wait::PATIENCE;

/// The promise.
const SHOWN_WITHIN: Duration = Duration::from_secs(2);

#[test]
#[ignore = "end to end: tests/run e2e"]
fn an_acknowledged_span_shows_within_two_seconds() {
    let daemon = Daemon::builder().start();
    let trace_id = trace_id();
    // Several times, because the board is made once a second and each attempt meets it at another moment.
    for n in 0..6 {
        let span = call(&trace_id, n, "api.acme-bank.example", Duration::from_millis(30));
        daemon.send(request(vec![span]).encode_to_vec());
        daemon.wait_for_calls("acme-bank.example", n + 1, SHOWN_WITHIN);
    }
}

#[test]
#[ignore = "end to end: tests/run e2e"]
fn a_call_belongs_to_the_named_peer_then_the_registry_then_the_registrable_domain() {
    let registry =
        "[[provider]]\nname = \"sberbank\"\nhosts = [\"*.sberbank.example\"]\nowner = \"payments\"\n";
    let daemon = Daemon::builder().with(registry).start();
    let trace_id = trace_id();
    let took = Duration::from_millis(40);
    let spans = vec![
        call(&trace_id, 0, "securepayments.sberbank.example", took),
        with(call(&trace_id, 1, "10.0.0.7", took), text("peer.service", "Anti-Fraud")),
        call(&trace_id, 2, "eu.api.newbank.example", took),
        with(call(&trace_id, 3, "eu.api.newbank.example", took), int("http.response.status_code", 500)),
    ];
    daemon.send(request(spans).encode_to_vec());
    let newbank = daemon.wait_for_calls("newbank.example", 2, PATIENCE);
    assert_eq!((&newbank["ok"], &newbank["failed"]), (&1.into(), &1.into()), "{newbank}");
    assert_eq!(newbank["failure_ratio"], 0.5);
    assert_eq!(daemon.provider("sberbank").expect("it is in the registry")["owner"], "payments");
    assert_eq!(daemon.provider("anti-fraud").expect("it was named")["count"], 1);
}

#[test]
#[ignore = "end to end: tests/run e2e"]
fn every_span_is_accounted_for_while_jaeger_is_down_and_after() {
    let otlp = program::free_address();
    let daemon = Daemon::builder().forwarding_to(otlp).start();
    let trace_id = trace_id();
    for n in 0..50 {
        let spans =
            (0..4).map(|k| call(&trace_id, 4 * n + k, "api.acme-bank.example", Duration::from_millis(9)));
        daemon.send(request(spans.collect()).encode_to_vec());
    }
    let down = sums_hold(&daemon, |stats| stats["received"] == 200);
    assert_eq!(down["destinations"]["jaeger"]["queued"], 200, "{down}");

    let Some(jaeger) = Jaeger::start_at(otlp) else { return };
    jaeger.wait_for_spans(&spanmill_tests::spans::hex(&trace_id), 200);
    let up = sums_hold(&daemon, |stats| stats["destinations"]["jaeger"]["queued"] == 0);
    assert_eq!(up["destinations"]["jaeger"]["forwarded"], 200, "{up}");
    assert_eq!(up["rolled_up"], 200, "{up}");
}
