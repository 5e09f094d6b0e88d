//! What must hold for any bytes at all. Each check panics with what it found.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use spanmill_proto::otlp::{self, Scalar, span};
use spanmill_proto::wire::{Fields, Malformed};

use super::canonical::canonical;
use super::schema::{REQUEST, SPAN};

/// All checks. Returns whether the message was accepted, so that a test can see that both cases occur.
pub fn everything(message: &[u8]) -> bool {
    let accepted = is_read_as_prost_reads_it(message);
    match ExportTraceServiceRequest::decode(message) {
        Ok(request) => {
            spans_and_attributes_are_those_of(&request, message);
            for limit in [1, 64, 200, message.len().max(1)] {
                pieces_make_up(&request, message, limit);
            }
        }
        Err(_) => {
            // What prost refuses may still be countable (nobody opened the spans); it must not panic.
            let _ = otlp::count_spans(message);
            let _ = otlp::cut(message, 64);
        }
    }
    accepted
}

/// Accepts and rejects with prost, and understands the same; only text that is not UTF-8 may differ.
pub fn is_read_as_prost_reads_it(message: &[u8]) -> bool {
    let ours = canonical(&REQUEST, message);
    let theirs = ExportTraceServiceRequest::decode(message);
    match (&ours, &theirs) {
        (Err(Malformed::TooDeep), _) | (Err(_), Err(_)) | (Ok((_, false)), Err(_)) => {}
        (Ok((canonical, true)), Ok(request)) => {
            assert_eq!(*canonical, request.encode_to_vec(), "read differently: {message:02x?}");
        }
        (Ok((_, true)), Err(error)) => panic!("only prost refuses ({error}): {message:02x?}"),
        (Ok((_, false)), Ok(_)) => panic!("prost took text that is not UTF-8: {message:02x?}"),
        (Err(error), Ok(_)) => panic!("only we refuse ({error}): {message:02x?}"),
    }
    theirs.is_ok()
}

/// The walk meets the spans of `request` in their order, with the attributes that prost sees.
fn spans_and_attributes_are_those_of(request: &ExportTraceServiceRequest, message: &[u8]) {
    let expected: Vec<&Span> = spans(request).map(|(_, _, span)| span).collect();
    assert_eq!(otlp::count_spans(message), Ok(expected.len() as u32), "{message:02x?}");
    let mut at = 0;
    otlp::for_each_span(message, |found| {
        let span = expected[at];
        let bytes = found.span.bytes()?;
        assert_eq!(&message[found.span.content..found.span.end], bytes, "offsets: {message:02x?}");
        let (canonical, _) = canonical(&SPAN, bytes)?;
        assert_eq!(canonical, span.encode_to_vec(), "span {at} of {message:02x?}");
        attributes_are_those_of(span, bytes);
        at += 1;
        Ok(())
    })
    .expect("prost accepted it");
    assert_eq!(at, expected.len());
}

fn attributes_are_those_of(span: &Span, bytes: &[u8]) {
    let mut expected = span.attributes.iter();
    let mut fields = Fields::of(bytes);
    while let Some(field) = fields.next().expect("prost accepted it") {
        if field.number != span::ATTRIBUTES {
            continue;
        }
        let attribute = expected.next().expect("as many attributes as prost found");
        let (key, scalar) = otlp::attribute(&field).expect("prost accepted it");
        assert_eq!(key, attribute.key.as_bytes(), "{bytes:02x?}");
        assert_eq!(scalar_bits(scalar), scalar_bits(scalar_of(attribute)), "{bytes:02x?}");
    }
    assert_eq!(expected.next(), None, "{bytes:02x?}");
}

fn scalar_of(attribute: &KeyValue) -> Scalar<'_> {
    match attribute.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(any_value::Value::StringValue(text)) => Scalar::Text(text.as_bytes()),
        Some(any_value::Value::IntValue(value)) => Scalar::Int(*value),
        Some(any_value::Value::DoubleValue(value)) => Scalar::Double(*value),
        Some(any_value::Value::BoolValue(value)) => Scalar::Bool(*value),
        _ => Scalar::Other,
    }
}

/// A double by its bits, because NaN is not equal to itself.
fn scalar_bits(scalar: Scalar<'_>) -> (Scalar<'_>, u64) {
    match scalar {
        Scalar::Double(value) => (Scalar::Double(0.0), value.to_bits()),
        other => (other, 0),
    }
}

/// The pieces hold the spans of `request`, each once, in order, in their resource and scope, within `limit`.
pub fn pieces_make_up(request: &ExportTraceServiceRequest, message: &[u8], limit: usize) {
    let pieces = otlp::cut(message, limit).expect("prost accepted it");
    let mut found = Vec::new();
    let mut total = 0;
    for piece in &pieces {
        assert_eq!(piece.oversized, piece.bytes.len() > limit, "limit {limit}: {message:02x?}");
        let part = ExportTraceServiceRequest::decode(&piece.bytes[..]).expect("a piece is a request");
        let in_piece: Vec<_> = spans(&part).map(flat).collect();
        assert_eq!(in_piece.len() as u32, piece.spans);
        assert_ne!(piece.spans, 0, "an empty piece, limit {limit}: {message:02x?}");
        found.extend(in_piece);
        total += piece.bytes.len();
    }
    let expected: Vec<_> = spans(request).map(flat).collect();
    assert_eq!(found, expected, "limit {limit}: {message:02x?}");
    // The headers of a lone span count for as much again where the limit is a few bytes.
    let most = 4 * (message.len() + limit);
    assert!(total <= most, "{total} bytes of pieces from {} bytes, limit {limit}", message.len());
}

type SpanIn<'a> = (&'a ResourceSpans, &'a ScopeSpans, &'a Span);

fn spans(request: &ExportTraceServiceRequest) -> impl Iterator<Item = SpanIn<'_>> {
    request.resource_spans.iter().flat_map(|resource| {
        resource
            .scope_spans
            .iter()
            .flat_map(move |scope| scope.spans.iter().map(move |span| (resource, scope, span)))
    })
}

/// A span with everything around it, encoded: comparable although doubles may be NaN.
fn flat((resource, scope, span): SpanIn<'_>) -> Vec<u8> {
    let scope = ScopeSpans { spans: vec![span.clone()], ..scope.clone() };
    ResourceSpans { scope_spans: vec![scope], ..resource.clone() }.encode_to_vec()
}
