//! Spans of the official SDK: as an application would send them.

use std::time::{Duration, SystemTime};

use opentelemetry::trace::{Span, SpanKind, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use spanmill_tests::daemon::Daemon;
use spanmill_tests::jaeger::{Jaeger, attribute};
use spanmill_tests::spans::hex;
use spanmill_tests::wait::PATIENCE;

/// The calls of one checkout: HTTP status, how often, and what the daemon makes of it.
const CALLS: [(i64, u64, &str); 4] =
    [(200, 20, "ok"), (503, 3, "failed"), (504, 2, "timeout"), (400, 1, "client_fault")];
const OK_TAKES: Duration = Duration::from_millis(120);
const REGISTRY: &str = "[[provider]]\nname = \"acme-bank\"\nhosts = [\"*.acme-bank.example\"]\n";

#[test]
#[ignore = "end to end: tests/run e2e"]
fn spans_sent_by_the_sdk_over_grpc_become_figures_here_and_a_whole_trace_in_jaeger() {
    let Some(jaeger) = Jaeger::start() else { return };
    let daemon = Daemon::builder().forwarding_to(jaeger.otlp()).with(REGISTRY).start();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let exporter = runtime.block_on(async {
        let builder = SpanExporter::builder().with_tonic();
        builder.with_endpoint(format!("http://{}", daemon.grpc())).build().expect("an exporter")
    });
    checkout_arrives(exporter, &daemon, &jaeger);
}

#[test]
#[ignore = "end to end: tests/run e2e"]
fn spans_sent_by_the_sdk_over_http_become_figures_here_and_a_whole_trace_in_jaeger() {
    let Some(jaeger) = Jaeger::start() else { return };
    let daemon = Daemon::builder().forwarding_to(jaeger.otlp()).with(REGISTRY).start();
    let endpoint = format!("http://{}/v1/traces", daemon.http());
    let builder = SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary);
    checkout_arrives(builder.with_endpoint(endpoint).build().expect("an exporter"), &daemon, &jaeger);
}

fn checkout_arrives(exporter: SpanExporter, daemon: &Daemon, jaeger: &Jaeger) {
    let resource = Resource::builder_empty().with_service_name("shop").build();
    let sdk = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
    let trace_id = checkout(&sdk);
    sdk.force_flush().expect("the daemon acknowledges the spans");

    let calls: u64 = CALLS.iter().map(|(_, count, _)| count).sum();
    let acme = daemon.wait_for_calls("acme-bank", calls, PATIENCE);
    assert_eq!(acme["count"], calls, "{acme}");
    for (_, count, outcome) in CALLS {
        assert_eq!(acme[outcome], count, "{outcome} of {acme}");
    }
    let failure_ratio = acme["failure_ratio"].as_f64().expect("calls that count have a ratio");
    assert!((failure_ratio - 5.0 / 25.0).abs() < 0.001, "{failure_ratio}");
    let p50_ms = acme["p50_ms"].as_f64().expect("calls have percentiles");
    let sent_ms = OK_TAKES.as_secs_f64() * 1e3;
    assert!(
        (p50_ms - sent_ms).abs() <= 0.01 * sent_ms + 0.1,
        "p50 {p50_ms} ms of calls that took {sent_ms} ms"
    );

    let spans = jaeger.wait_for_spans(&trace_id, calls as usize + 1);
    assert_eq!(spans.len(), calls as usize + 1, "each span once");
    assert!(spans.iter().all(|span| span["service"] == "shop"), "{spans:?}");
    for (status, count, _) in CALLS {
        let status = status.to_string();
        let with_status =
            spans.iter().filter(|span| attribute(span, "http.response.status_code") == Some(&status));
        assert_eq!(with_status.count() as u64, count, "attributes travel: {spans:?}");
    }
    let logged = spans.iter().find(|span| span["events"][0]["name"] == "response").expect("events travel");
    assert!(logged["events"][0]["attributes"].to_string().contains("accepted"), "{logged}");
}

/// One server span with its calls below; gives the trace's id.
fn checkout(sdk: &SdkTracerProvider) -> String {
    let tracer = sdk.tracer("checkout");
    let root = tracer.span_builder("POST /checkout").with_kind(SpanKind::Server).start(&tracer);
    let trace_id = hex(&root.span_context().trace_id().to_bytes());
    let root = Context::new().with_span(root);
    for (status, count, _) in CALLS {
        for _ in 0..count {
            call(&tracer, &root, status);
        }
    }
    root.span().end();
    trace_id
}

#[allow(clippy::disallowed_methods)] // the SDK's own clock
fn call(tracer: &impl Tracer<Span: Span>, parent: &Context, status: i64) {
    let end = SystemTime::now();
    let took = if status == 200 { OK_TAKES } else { Duration::from_secs(2) };
    let mut span = tracer
        .span_builder("POST")
        .with_kind(SpanKind::Client)
        .with_start_time(end - took)
        .with_attributes([
            KeyValue::new("server.address", "api.acme-bank.example"),
            KeyValue::new("http.request.method", "POST"),
            KeyValue::new("http.response.status_code", status),
        ])
        .start_with_context(tracer, parent);
    span.add_event("response", vec![KeyValue::new("body", "accepted")]);
    span.end_with_timestamp(end);
}
