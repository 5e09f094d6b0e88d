//! The Rust client over the local socket: what `spanmill` the crate records is what the daemon counts.

use spanmill::{Provider, Span};
use spanmill_tests::daemon::Daemon;
use spanmill_tests::jaeger::{Jaeger, attribute};
use spanmill_tests::wait::PATIENCE;

const CARD: &str = "4111111111111111";

#[test]
#[ignore = "end to end: tests/run e2e"]
fn calls_recorded_by_the_rust_client_arrive_masked_with_their_outcomes() {
    let Some(jaeger) = Jaeger::start() else { return };
    let daemon = Daemon::builder().forwarding_to(jaeger.otlp()).start();
    let client =
        spanmill::builder().service("shop").socket(daemon.socket()).init().expect("the client starts");
    let trace_id = checkout();
    let report = client.shutdown(PATIENCE);
    assert_eq!((report.sent, report.dropped.total()), (5, 0), "{report:?}");

    // Three calls; the request inside the first is its attempt and no call of its own.
    let acme = daemon.wait_for_calls("acme-bank", 3, PATIENCE);
    for (key, count) in [("count", 3), ("ok", 1), ("declined", 1), ("timeout", 1), ("attempts", 1)] {
        assert_eq!(acme[key], count, "{key} of {acme}");
    }
    let spans = jaeger.wait_for_spans(&trace_id, 5);
    assert!(spans.iter().all(|span| span["service"] == "shop"), "{spans:?}");
    let note = spans.iter().find_map(|span| attribute(span, "payment.note")).expect("tags travel");
    assert_eq!(note, "card 411111******1111");
    assert!(!jaeger.trace(&trace_id).expect("it was there").contains(CARD));
}

/// A request with three calls in it; gives its trace id.
fn checkout() -> String {
    static ACME: Provider = Provider::new("acme-bank");
    let request = Span::builder("POST /checkout").server().start();
    let _current = request.enter();
    let mut first = ACME.call("authorize");
    first.tag("payment.note", format!("card {CARD}"));
    let in_first = first.enter();
    Span::builder("POST").client().start().end();
    drop(in_first);
    first.ok();
    let mut second = ACME.call("authorize");
    second.log("response", |log| log.tag("body", format!("<card>{CARD}</card>")));
    second.declined("insufficient funds");
    ACME.call("capture").timeout();
    request.context().expect("it is recorded").trace_id().to_string()
}
