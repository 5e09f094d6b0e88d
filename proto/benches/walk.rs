//! What the walk costs on realistic spans: `cargo bench -p spanmill-proto`. Divide by [`SPANS`] for one span.

use divan::{Bencher, black_box, counter::BytesCount};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use spanmill_proto::otlp::{self, Scalar, span};
use spanmill_proto::wire::Fields;

const SPANS: usize = 512;

fn main() {
    divan::main();
}

#[divan::bench]
fn count_spans(bencher: Bencher<'_, '_>) {
    let message = request();
    bencher
        .counter(BytesCount::new(message.len()))
        .bench(|| otlp::count_spans(black_box(&message)).expect("well-formed"));
}

#[divan::bench]
fn every_attribute(bencher: Bencher<'_, '_>) {
    let message = request();
    bencher.counter(BytesCount::new(message.len())).bench(|| {
        let mut text = 0;
        otlp::for_each_span(black_box(&message), |found| {
            let mut fields = Fields::part(found.span.bytes()?, found.span.content);
            while let Some(field) = fields.next()? {
                if field.number == span::ATTRIBUTES {
                    let (key, value) = otlp::attribute(&field)?;
                    text += key.len() + if let Scalar::Text(text) = value { text.len() } else { 8 };
                }
            }
            Ok(())
        })
        .expect("well-formed");
        text
    });
}

/// A message of twice the limit, cut into pieces.
#[divan::bench]
fn cut_in_two(bencher: Bencher<'_, '_>) {
    let message = request();
    bencher
        .counter(BytesCount::new(message.len()))
        .bench(|| otlp::cut(black_box(&message), message.len() / 2).expect("well-formed"));
}

/// For comparison: the same request decoded into objects.
#[divan::bench]
fn prost_decode(bencher: Bencher<'_, '_>) {
    let message = request();
    bencher
        .counter(BytesCount::new(message.len()))
        .bench(|| ExportTraceServiceRequest::decode(black_box(&message[..])).expect("well-formed"));
}

/// Spans of about 560 bytes: ten attributes and an event.
fn request() -> Vec<u8> {
    let spans: Vec<Span> = (0..SPANS as u64).map(call).collect();
    let message = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes: vec![text("service.name", "shop"), text("host.name", "h7.dc1.example")],
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans { spans, ..ScopeSpans::default() }],
            ..ResourceSpans::default()
        }],
    }
    .encode_to_vec();
    let per_span = message.len() / SPANS;
    assert!((520..600).contains(&per_span), "{per_span} bytes a span");
    message
}

fn call(n: u64) -> Span {
    let start = 1_795_378_500_000_000_000 + n * 1_000_000;
    Span {
        trace_id: [n.to_be_bytes(), (!n).to_be_bytes()].concat(),
        span_id: (n + 1).to_be_bytes().to_vec(),
        parent_span_id: (n + 2).to_be_bytes().to_vec(),
        name: "POST /v2/payments/{id}/authorize".into(),
        kind: 3,
        start_time_unix_nano: start,
        end_time_unix_nano: start + 212_000_000,
        attributes: vec![
            text("server.address", "api.acme-bank.example"),
            int("server.port", 443),
            text("http.request.method", "POST"),
            text("url.template", "/v2/payments/{id}/authorize"),
            text("url.full", &format!("https://api.acme-bank.example/v2/payments/{n:016x}/authorize")),
            int("http.response.status_code", 200),
            text("network.protocol.version", "1.1"),
            text("payment.scheme", "visa"),
            text("payment.merchant", "m-20417"),
            text("user_agent.original", "shop/4.2 (php 8.2)"),
        ],
        events: vec![Event {
            time_unix_nano: start + 200_000_000,
            name: "response".into(),
            attributes: vec![text("payment.code", "00"), int("bytes", 1_204)],
            ..Event::default()
        }],
        ..Span::default()
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

fn int(key: &str, value: i64) -> KeyValue {
    attribute(key, Value::IntValue(value))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}
