//! Spans to send: what an instrumented shop would say of its calls.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, span::SpanKind};

/// `trace_id` as APIs write it.
pub fn hex(trace_id: &[u8]) -> String {
    trace_id.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A trace id that no other test has.
pub fn trace_id() -> Vec<u8> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    [unix_ns().to_be_bytes(), (u64::from(std::process::id()) << 32 | next).to_be_bytes()].concat()
}

#[allow(clippy::disallowed_methods)] // the daemon under test reads the same clock
pub fn unix_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_nanos() as u64
}

/// A call of `host` that ended just now; `n` tells the spans of a trace apart.
pub fn call(trace_id: &[u8], n: u64, host: &str, took: Duration) -> Span {
    let end = unix_ns();
    Span {
        trace_id: trace_id.to_vec(),
        span_id: (n + 1).to_be_bytes().to_vec(),
        name: "POST /pay".into(),
        kind: SpanKind::Client.into(),
        start_time_unix_nano: end - took.as_nanos() as u64,
        end_time_unix_nano: end,
        attributes: vec![
            text("server.address", host),
            int("server.port", 443),
            text("http.request.method", "POST"),
            int("http.response.status_code", 200),
        ],
        ..Span::default()
    }
}

/// `span` with one more attribute, or another value of one it has.
pub fn with(mut span: Span, attribute: KeyValue) -> Span {
    span.attributes.retain(|other| other.key != attribute.key);
    span.attributes.push(attribute);
    span
}

/// A request with these spans of the service `shop` on the host `h1`.
pub fn request(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let attributes = vec![text("service.name", "shop"), text("host.name", "h1")];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource { attributes, ..Resource::default() }),
            scope_spans: vec![ScopeSpans { spans, ..ScopeSpans::default() }],
            ..ResourceSpans::default()
        }],
    }
}

pub fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

pub fn int(key: &str, value: i64) -> KeyValue {
    attribute(key, Value::IntValue(value))
}

pub fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}
