//! A real Prometheus and our API say the same of the same calls.

use std::time::Duration;

use prost::Message;
use serde_json::Value;
use spanmill_tests::daemon::Daemon;
use spanmill_tests::prometheus::Prometheus;
use spanmill_tests::spans::{call, int, request, text, trace_id, with};
use spanmill_tests::wait::{self, PATIENCE};

const PROVIDER: &str = "acme-bank";
/// Calls of each outcome: attribute that makes it, how many.
const OUTCOMES: [(&str, &str, u64); 7] = [
    ("spanmill.outcome", "ok", 700),
    ("spanmill.outcome", "declined", 120),
    ("spanmill.outcome", "client_fault", 30),
    ("spanmill.outcome", "failed", 50),
    ("spanmill.outcome", "timeout", 40),
    ("spanmill.outcome", "connect", 10),
    ("spanmill.outcome", "cancelled", 5),
];
/// Bounds of the histogram, in seconds, as docs/metrics.md has them.
const BOUNDS_S: [f64; 19] = [
    0.0, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0,
    120.0,
];

/// From 3 ms to some 40 s, few of them long: the n-th of a sequence that fills the range evenly.
fn took(n: u64) -> Duration {
    let even = (n as f64 * 0.618_033_988_749_895).fract();
    Duration::from_micros((3_000.0 * 13_000f64.powf(even.powi(3))) as u64)
}

/// Sends all calls; durations of those that were answered, ascending, in seconds.
fn send(daemon: &Daemon) -> Vec<f64> {
    let trace_id = trace_id();
    let mut answered = Vec::new();
    let mut n = 0;
    for (key, outcome, count) in OUTCOMES {
        let calls = (0..count).map(|_| {
            n += 1;
            if outcome == "ok" || outcome == "declined" {
                answered.push(took(n).as_secs_f64());
            }
            let span = call(&trace_id, n, "api.acme.example", took(n));
            let span = with(span, text("spanmill.provider", PROVIDER));
            with(with(span, text("spanmill.operation", "authorize")), text(key, outcome))
        });
        daemon.send(request(calls.collect()).encode_to_vec());
    }
    answered.sort_by(f64::total_cmp);
    answered
}

fn exact(sorted: &[f64], quantile: f64) -> f64 {
    sorted[(quantile * sorted.len() as f64).ceil() as usize - 1]
}

#[test]
#[ignore = "end to end: tests/run e2e"]
fn prometheus_and_the_api_agree_on_counts_and_quantiles() {
    let daemon = Daemon::builder().start();
    let Some(prometheus) = Prometheus::start(daemon.page()) else { return };
    let answered = send(&daemon);
    let all: u64 = OUTCOMES.iter().map(|(_, _, count)| count).sum();
    let ours = daemon.wait_for_calls(PROVIDER, all, PATIENCE);

    let of_provider = format!("provider=\"{PROVIDER}\"");
    wait::until("Prometheus has scraped all calls", PATIENCE, || {
        let total = prometheus.query(&format!("sum(spanmill_provider_calls_total{{{of_provider}}})"));
        if total == Some(all as f64) { Ok(()) } else { Err(total) }
    });
    for (_, outcome, count) in OUTCOMES {
        let labels = format!("{of_provider}, operation=\"authorize\", outcome=\"{outcome}\"");
        let theirs = prometheus.query(&format!("spanmill_provider_calls_total{{{labels}}}"));
        assert_eq!((theirs, &ours[outcome]), (Some(count as f64), &Value::from(count)), "{outcome}");
    }
    let answers = format!("{of_provider}, outcome=~\"ok|declined\"");
    let buckets = format!("sum by (le) (spanmill_provider_call_duration_seconds_bucket{{{answers}}})");
    for (quantile, key) in [(0.5, "p50_ms"), (0.95, "p95_ms"), (0.99, "p99_ms")] {
        let exact_s = exact(&answered, quantile);
        let theirs_s =
            prometheus.query(&format!("histogram_quantile({quantile}, {buckets})")).expect("a value");
        let upper = BOUNDS_S.partition_point(|bound| *bound < exact_s);
        let width_s = BOUNDS_S[upper] - BOUNDS_S[upper - 1];
        assert!(
            (theirs_s - exact_s).abs() <= width_s,
            "{key}: {theirs_s} s, exactly {exact_s} s, bucket {width_s} s"
        );
        let ours_s = ours[key].as_f64().expect("there are calls") / 1e3;
        assert!((ours_s - exact_s).abs() <= 0.01 * exact_s, "{key}: {ours_s} s, exactly {exact_s} s");
    }
    let sum = prometheus.query(&format!("sum(spanmill_provider_call_duration_seconds_sum{{{of_provider}}})"));
    let (theirs_s, ours_s) = (sum.expect("a sum"), ours["sum_ms"].as_f64().expect("a sum") / 1e3);
    assert!((theirs_s - ours_s).abs() < 0.001, "{theirs_s} s and {ours_s} s");

    // Out of the store, and over what was stored, the same.
    for window in ["1h", "24h", "7d"] {
        let board = daemon.json(&format!("/api/v1/providers?window={window}"));
        let provider =
            board["providers"].as_array().expect("a list").iter().find(|one| one["name"] == PROVIDER);
        let provider = provider.expect("it is stored").clone();
        for key in ["count", "ok", "declined", "failed", "p50_ms", "p95_ms", "p99_ms", "max_ms", "sum_ms"] {
            assert_eq!(provider[key], ours[key], "{key} over {window}");
        }
    }
}

#[test]
#[ignore = "end to end: tests/run e2e"]
fn a_status_of_http_makes_the_same_outcome_on_both_sides() {
    let daemon = Daemon::builder().start();
    let Some(prometheus) = Prometheus::start(daemon.page()) else { return };
    let trace_id = trace_id();
    let statuses = [200, 204, 302, 400, 404, 429, 500, 503, 504];
    let spans = statuses.iter().enumerate().map(|(n, status)| {
        let span = call(&trace_id, n as u64, "api.acme.example", Duration::from_millis(20));
        with(span, int("http.response.status_code", *status))
    });
    daemon.send(request(spans.collect()).encode_to_vec());
    let ours = daemon.wait_for_calls("acme.example", statuses.len() as u64, PATIENCE);
    for (outcome, count) in [("ok", 3), ("client_fault", 2), ("failed", 3), ("timeout", 1)] {
        let query =
            format!("sum(spanmill_provider_calls_total{{provider=\"acme.example\", outcome=\"{outcome}\"}})");
        wait::until(&format!("{count} {outcome} in Prometheus"), PATIENCE, || {
            let found = prometheus.query(&query);
            if found == Some(f64::from(count)) { Ok(()) } else { Err(found) }
        });
        assert_eq!(ours[outcome], count, "{outcome}");
    }
}
