//! Requests for tests, built with prost: another implementation than the one under test.

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;

use super::registry::{Config, Provider, Registry};
use super::span::{Call, read};
use crate::mask::MaskedBatch;

pub const SECOND: u64 = 1_000_000_000;
/// 2026-11-22T20:15:03Z
pub const NOW_S: u64 = 1_795_378_503;

/// A CLIENT span with attributes out of `a=text, b=#7, c=!true`; it ended at [`NOW_S`] after 100 ms.
pub fn span(attributes: &str) -> Span {
    Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        name: "GET /pay/4111111111111111?token=s3cret".to_owned(),
        kind: 3,
        start_time_unix_nano: NOW_S * SECOND - SECOND / 10,
        end_time_unix_nano: NOW_S * SECOND,
        attributes: key_values(attributes),
        ..Span::default()
    }
}

pub fn key_values(attributes: &str) -> Vec<KeyValue> {
    let pairs = attributes.split(", ").filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap();
            let value = match value.split_at_checked(1) {
                Some(("#", number)) => Value::IntValue(number.parse().unwrap()),
                Some(("!", flag)) => Value::BoolValue(flag.parse().unwrap()),
                _ => Value::StringValue(value.to_owned()),
            };
            KeyValue {
                key: key.to_owned(),
                value: Some(AnyValue { value: Some(value) }),
                ..KeyValue::default()
            }
        })
        .collect()
}

pub fn status(code: i32, message: &str) -> Option<Status> {
    Some(Status { code, message: message.to_owned() })
}

pub fn exception(attributes: &str) -> Event {
    Event { name: "exception".to_owned(), attributes: key_values(attributes), ..Event::default() }
}

/// One batch of one resource.
pub fn batch(resource: &str, spans: Vec<Span>, received_unix_ns: u64) -> MaskedBatch {
    let count = spans.len() as u32;
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource { attributes: key_values(resource), ..Resource::default() }),
            scope_spans: vec![ScopeSpans { spans, ..ScopeSpans::default() }],
            ..ResourceSpans::default()
        }],
    };
    MaskedBatch::restored(Bytes::from(request.encode_to_vec()), count, received_unix_ns, 0)
}

/// Reads a span that prost wrote and hands it to `check`.
pub fn with_call<R>(span: &Span, check: impl FnOnce(Call<'_>) -> R) -> R {
    let bytes = span.encode_to_vec();
    check(read(&bytes).unwrap().expect("an outgoing call"))
}

pub fn provider(name: &str) -> Provider {
    Provider { name: name.to_owned(), ..Provider::default() }
}

pub fn texts(of: &[&str]) -> Vec<String> {
    of.iter().map(|&text| text.to_owned()).collect()
}

pub fn config(providers: Vec<Provider>) -> super::Config {
    super::Config {
        registry: Config { providers },
        providers_max: 512,
        operations_max: 32,
        production: texts(&["production"]),
    }
}

pub fn registry(providers: Vec<Provider>) -> Registry {
    Registry::new(Config { providers })
}
