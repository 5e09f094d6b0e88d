//! Notices that a span has begun, as some SDKs export them before the span itself, and a request without them.

use super::{Scalar, attribute, request, resource_spans, scope_spans, span};
use crate::wire::{self, Field, Fields, Malformed};

/// Whether an attribute, a `KeyValue` message, makes its span a notice: Logfire's `logfire.span_type` with
/// `pending_span`, Datadog's `_dd.partial_version` above 0. Cheap for all others.
#[inline]
pub fn says_notice(key_value: &Field<'_>) -> Result<bool, Malformed> {
    match key_value.bytes()? {
        // Tag, length and first letter of the key: what is written in another order is looked at closely.
        [0x0a, 17, b'l', ..] | [0x0a, 19, b'_', ..] => looks_closely(key_value),
        [0x0a, ..] => Ok(false),
        _ => looks_closely(key_value),
    }
}

fn looks_closely(key_value: &Field<'_>) -> Result<bool, Malformed> {
    Ok(match attribute(key_value)? {
        (b"logfire.span_type", Scalar::Text(b"pending_span")) => true,
        (b"_dd.partial_version", Scalar::Int(version)) => version > 0,
        (b"_dd.partial_version", Scalar::Double(version)) => version > 0.0,
        (b"_dd.partial_version", Scalar::Text(text)) => std::str::from_utf8(text)
            .ok()
            .and_then(|text| text.parse().ok())
            .is_some_and(|version: i64| version > 0),
        _ => false,
    })
}

fn is_notice(span: &Field<'_>) -> Result<bool, Malformed> {
    let mut fields = span.message()?;
    while let Some(field) = fields.next()? {
        if field.number == span::ATTRIBUTES && says_notice(&field)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// `message` without the spans that are notices, and how many spans are left. All else stays byte for byte, but
/// for the lengths around them.
pub fn without_notices(message: &[u8]) -> Result<(Vec<u8>, u32), Malformed> {
    let mut spans = 0;
    let rewritten = rewrite(message, Fields::of(message), request::RESOURCE_SPANS, &mut |resource, out| {
        let inner = rewrite(message, resource.message()?, resource_spans::SCOPE_SPANS, &mut |scope, out| {
            let inner = rewrite(message, scope.message()?, scope_spans::SPANS, &mut |span, out| {
                if !is_notice(span)? {
                    spans += 1;
                    out.extend_from_slice(&message[span.start..span.end]);
                }
                Ok(())
            })?;
            wire::put_bytes(out, resource_spans::SCOPE_SPANS, &inner);
            Ok(())
        })?;
        wire::put_bytes(out, request::RESOURCE_SPANS, &inner);
        Ok(())
    })?;
    Ok((rewritten, spans))
}

/// Writes a field in its new form.
type Write<'a> = dyn FnMut(&Field<'_>, &mut Vec<u8>) -> Result<(), Malformed> + 'a;

/// The fields of a message again, with `each` writing those of one number.
fn rewrite(
    message: &[u8],
    mut fields: Fields<'_>,
    number: u32,
    each: &mut Write<'_>,
) -> Result<Vec<u8>, Malformed> {
    let mut out = Vec::new();
    while let Some(field) = fields.next()? {
        match field.number == number {
            true => each(&field, &mut out)?,
            false => out.extend_from_slice(&message[field.start..field.end]),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
    use prost::Message;

    use super::*;

    fn span(name: &str, key: &str, value: any_value::Value) -> Span {
        let value = Some(AnyValue { value: Some(value) });
        let attribute = KeyValue { key: key.to_owned(), value, ..KeyValue::default() };
        Span { name: name.to_owned(), attributes: vec![attribute], ..Span::default() }
    }

    fn text(of: &str) -> any_value::Value {
        any_value::Value::StringValue(of.to_owned())
    }

    fn request(scopes: Vec<Vec<Span>>) -> Vec<u8> {
        let scope_spans = scopes.into_iter().map(|spans| ScopeSpans { spans, ..ScopeSpans::default() });
        let resource_spans = vec![ResourceSpans {
            scope_spans: scope_spans.collect(),
            schema_url: "https://opentelemetry.io/schemas/1.37.0".to_owned(),
            ..ResourceSpans::default()
        }];
        ExportTraceServiceRequest { resource_spans }.encode_to_vec()
    }

    #[test]
    fn notices_go_and_all_else_stays() {
        use any_value::Value::{DoubleValue, IntValue};
        let kept = || {
            vec![
                span("a", "logfire.span_type", text("span")),
                span("b", "_dd.partial_version", IntValue(0)),
                span("c", "db.operation.name", text("pending_span")),
                span("d", "_dd.partial_version", text("x")),
            ]
        };
        let notices = vec![
            span("e", "logfire.span_type", text("pending_span")),
            span("f", "_dd.partial_version", IntValue(3)),
            span("g", "_dd.partial_version", DoubleValue(1.0)),
            span("h", "_dd.partial_version", text("2")),
        ];
        let mixed = request(vec![[kept(), notices.clone()].concat(), notices, kept()]);
        let want = request(vec![kept(), Vec::new(), kept()]);
        assert_eq!(without_notices(&mixed), Ok((want, 8)));
    }

    #[test]
    fn a_value_before_its_key_is_read_too() {
        let mut attribute = Vec::new();
        wire::put_bytes(&mut attribute, 2, &AnyValue { value: Some(text("pending_span")) }.encode_to_vec());
        wire::put_bytes(&mut attribute, 1, b"logfire.span_type");
        let mut message = Vec::new();
        wire::put_bytes(&mut message, span::ATTRIBUTES, &attribute);
        let field = Fields::of(&message).next().unwrap().unwrap();
        assert_eq!(says_notice(&field), Ok(true));
    }
}
