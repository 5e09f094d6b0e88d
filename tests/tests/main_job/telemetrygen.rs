//! Spans of telemetrygen, the OpenTelemetry project's own generator.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use spanmill_tests::daemon::Daemon;
use spanmill_tests::jaeger::Jaeger;
use spanmill_tests::program;
use spanmill_tests::wait::{self, PATIENCE};

const TRACES: u64 = 25;

#[test]
#[ignore = "end to end: tests/run e2e"]
fn traces_of_telemetrygen_arrive_over_both_protocols() {
    let Some(telemetrygen) = program::tool("telemetrygen") else { return };
    let Some(jaeger) = Jaeger::start() else { return };
    let daemon = Daemon::builder().forwarding_to(jaeger.otlp()).start();

    generate(&telemetrygen, daemon.grpc(), "over-grpc", &[]);
    generate(&telemetrygen, daemon.http(), "over-http", &["--otlp-http"]);

    // Each trace is a client span that names its peer, and a server span that is nobody's call.
    let peer = daemon.wait_for_calls("telemetrygen-server", 2 * TRACES, PATIENCE);
    assert_eq!(peer["count"], 2 * TRACES, "{peer}");
    assert_eq!(peer["ok"], 2 * TRACES, "{peer}");
    let p50_ms = peer["p50_ms"].as_f64().expect("calls have percentiles");
    assert!((p50_ms - 150.0).abs() < 2.0, "p50 {p50_ms} ms of calls that took 150 ms");

    for service in ["over-grpc", "over-http"] {
        let traces = wait::until("all traces in Jaeger", PATIENCE, || {
            let traces = jaeger.traces_of(service);
            if traces.len() as u64 >= TRACES { Ok(traces) } else { Err(traces) }
        });
        for trace_id in &traces {
            assert_eq!(jaeger.wait_for_spans(trace_id, 2).len(), 2, "{trace_id}");
        }
    }
}

fn generate(telemetrygen: &Path, target: SocketAddr, service: &str, more: &[&str]) {
    let ended = Command::new(telemetrygen)
        .args(["traces", "--otlp-insecure", "--rate", "0", "--span-duration", "150ms"])
        .args(["--traces", &TRACES.to_string(), "--service", service, "--otlp-endpoint", &target.to_string()])
        .args(more)
        .output()
        .expect("telemetrygen starts");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
}
