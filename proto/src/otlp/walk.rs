//! Walks that more than one stage needs: over the spans of a request, over the attributes of a message.

use super::{any_value, key_value, request, resource_spans, scope_spans};
use crate::wire::{DEPTH_MAX, Field, Fields, Malformed, Value};

/// A span and what encloses it.
#[derive(Debug, Clone, Copy)]
pub struct SpanAt<'a> {
    /// The `ResourceSpans` message that holds the span.
    pub resource_spans: Field<'a>,
    /// The `ScopeSpans` message that holds the span.
    pub scope_spans: Field<'a>,
    /// The span itself.
    pub span: Field<'a>,
}

/// Calls `visit` for each span of a request, in the order of the wire.
pub fn for_each_span<'a>(
    message: &'a [u8],
    mut visit: impl FnMut(SpanAt<'a>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let mut fields = Fields::of(message);
    while let Some(resource_spans) = fields.next()? {
        if resource_spans.number != request::RESOURCE_SPANS {
            continue;
        }
        let mut fields = resource_spans.message()?;
        while let Some(scope_spans) = fields.next()? {
            if scope_spans.number != resource_spans::SCOPE_SPANS {
                continue;
            }
            let mut fields = scope_spans.message()?;
            while let Some(span) = fields.next()? {
                if span.number == scope_spans::SPANS {
                    span.bytes()?;
                    visit(SpanAt { resource_spans, scope_spans, span })?;
                }
            }
        }
    }
    Ok(())
}

/// Spans in a request, without opening any.
pub fn count_spans(message: &[u8]) -> Result<u32, Malformed> {
    let mut count = 0;
    for_each_span(message, |_| {
        count += 1;
        Ok(())
    })?;
    Ok(count)
}

/// The value of an attribute as far as the roll-up cares: scalars only.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scalar<'a> {
    Text(&'a [u8]),
    Int(i64),
    Double(f64),
    Bool(bool),
    /// Bytes, an array, a list of key and value, an index into a table of profiles, or nothing at all.
    Other,
}

/// Key and encoded value of a `KeyValue` in the form of most: one key, then one value, both shorter than 128
/// bytes. Looking at four bytes saves reading the fields; `None` = read them.
#[inline(always)]
pub fn short_key_value(key_value: &[u8]) -> Option<(&[u8], &[u8])> {
    let [KEY_TAG, key_len @ ..0x80, rest @ ..] = key_value else { return None };
    let (key, rest) = rest.split_at_checked(usize::from(*key_len))?;
    let [VALUE_TAG, value_len @ ..0x80, value @ ..] = rest else { return None };
    (value.len() == usize::from(*value_len)).then_some((key, value))
}

/// The text of an `AnyValue` that is one text shorter than 128 bytes; `None` = read its fields.
#[inline(always)]
pub fn short_text(any_value: &[u8]) -> Option<&[u8]> {
    let [STRING_TAG, length @ ..0x80, text @ ..] = any_value else { return None };
    (text.len() == usize::from(*length)).then_some(text)
}

/// Tags of one byte: field number, then wire type 2.
const KEY_TAG: u8 = (key_value::KEY << 3 | 2) as u8;
const VALUE_TAG: u8 = (key_value::VALUE << 3 | 2) as u8;
const STRING_TAG: u8 = (any_value::STRING << 3 | 2) as u8;

/// Reads one `KeyValue`: its key, and its value if that is a scalar. Of repeated parts the last one counts.
#[inline]
pub fn attribute<'a>(key_value: &Field<'a>) -> Result<(&'a [u8], Scalar<'a>), Malformed> {
    let mut key: &[u8] = b"";
    let mut scalar = Scalar::Other;
    let mut fields = key_value.message()?;
    while let Some(field) = fields.next()? {
        match field.number {
            key_value::KEY => key = field.bytes()?,
            key_value::KEY_INDEX => drop(field.varint()?),
            key_value::VALUE => {
                let mut fields = field.message()?;
                while let Some(field) = fields.next()? {
                    scalar = match (field.number, field.value) {
                        (any_value::STRING, Value::Bytes(text)) => Scalar::Text(text),
                        (any_value::INT, Value::Varint(value)) => Scalar::Int(value as i64),
                        (any_value::BOOL, Value::Varint(value)) => Scalar::Bool(value != 0),
                        (any_value::DOUBLE, Value::Fixed64(bits)) => Scalar::Double(f64::from_bits(bits)),
                        (any_value::ARRAY | any_value::KVLIST | any_value::BYTES, Value::Bytes(_))
                        | (any_value::STRING_INDEX, Value::Varint(_)) => Scalar::Other,
                        (any_value::STRING..=any_value::STRING_INDEX, _) => {
                            return Err(Malformed::UnexpectedWireType(field.number));
                        }
                        _ => scalar,
                    };
                }
            }
            _ => {}
        }
    }
    Ok((key, scalar))
}

const _: () =
    assert!(DEPTH_MAX >= 8, "request, resource spans, scope spans, span, event, key value, value, list");
