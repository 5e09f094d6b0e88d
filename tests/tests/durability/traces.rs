//! A trace is found in the journal, however long ago it came and whoever died since.

use std::time::Duration;

use prost::Message;
use spanmill_tests::daemon::Daemon;
use spanmill_tests::jaeger::spans_of;
use spanmill_tests::spans::{call, hex, request, text, trace_id, with};

#[test]
#[ignore = "end to end: tests/run e2e"]
fn a_trace_is_found_over_segments_and_a_kill() {
    // Eight segments at most.
    let mut daemon = Daemon::builder().with("[journal]\nmax_size = \"64MiB\"\n").start();
    let trace_id = trace_id();
    let mut sent = 0;
    // Six segments and some, a span of the trace now and then.
    for n in 0..52 {
        let own = call(&trace_id, n, "api.acme-bank.example", Duration::from_millis(9));
        let other =
            call(&spanmill_tests::spans::trace_id(), n, "api.acme-bank.example", Duration::from_millis(9));
        let filler = with(other, text("note", &"n".repeat(1 << 20)));
        let spans = if n % 8 == 0 { vec![filler, own] } else { vec![filler] };
        sent += spans.len() - 1;
        daemon.send(request(spans).encode_to_vec());
    }
    for _ in 0..2 {
        let answer = daemon.json(&format!("/api/v1/traces/{}", hex(&trace_id)));
        assert_eq!(spans_of(&answer).len(), sent);
        assert_eq!(answer["complete"], false);
        daemon.kill_9_and_restart();
    }
}
