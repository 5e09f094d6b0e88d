//! Makes a span fit a packet: its largest logs go first, then its largest tags, and what went is counted.

use std::cmp::Reverse;

use spanmill_proto::otlp::span;
use spanmill_proto::wire::{self, Fields, Malformed, Value};

/// Room for the two counts that trimming writes: a tag and a varint each.
const COUNTS_BYTES: usize = 2 * (1 + 10);

/// `span` in at most `bytes_max` bytes, or `None` if even its ids and its name do not fit.
pub(crate) fn trim(span: &[u8], bytes_max: usize) -> Option<Vec<u8>> {
    let mut fields = fields(span).ok()?;
    let mut size = span.len();
    let mut dropped_logs = take_count(&mut fields, &mut size, span::DROPPED_EVENTS_COUNT);
    let mut dropped_tags = take_count(&mut fields, &mut size, span::DROPPED_ATTRIBUTES_COUNT);
    for (number, dropped) in [(span::EVENTS, &mut dropped_logs), (span::ATTRIBUTES, &mut dropped_tags)] {
        let mut largest: Vec<_> = (0..fields.len()).filter(|&at| fields[at].number == number).collect();
        largest.sort_by_key(|&at| Reverse(fields[at].len()));
        for at in largest {
            if size + COUNTS_BYTES <= bytes_max {
                break;
            }
            size -= fields[at].len();
            fields[at].kept = false;
            *dropped += 1;
        }
    }
    if size + COUNTS_BYTES > bytes_max {
        return None;
    }
    let mut out = Vec::with_capacity(size + COUNTS_BYTES);
    for field in fields.iter().filter(|field| field.kept) {
        out.extend_from_slice(&span[field.start..field.end]);
    }
    wire::put_uint(&mut out, span::DROPPED_EVENTS_COUNT, dropped_logs);
    wire::put_uint(&mut out, span::DROPPED_ATTRIBUTES_COUNT, dropped_tags);
    Some(out)
}

struct Part {
    number: u32,
    start: usize,
    end: usize,
    count: u64,
    kept: bool,
}

impl Part {
    fn len(&self) -> usize {
        self.end - self.start
    }
}

fn fields(span: &[u8]) -> Result<Vec<Part>, Malformed> {
    let mut parts = Vec::new();
    let mut fields = Fields::of(span);
    while let Some(field) = fields.next()? {
        let count = if let Value::Varint(count) = field.value { count } else { 0 };
        parts.push(Part { number: field.number, start: field.start, end: field.end, count, kept: true });
    }
    Ok(parts)
}

/// Takes a count out of the span, to be written again with what trimming adds.
fn take_count(parts: &mut [Part], size: &mut usize, number: u32) -> u64 {
    let mut sum = 0;
    for part in parts.iter_mut().filter(|part| part.number == number) {
        part.kept = false;
        *size -= part.len();
        sum += part.count;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::trace::v1::Span;
    use opentelemetry_proto::tonic::trace::v1::span::Event;
    use prost::Message;

    fn span(event_sizes: &[usize], tag_bytes: usize) -> Span {
        use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
        let event = |size: &usize| Event { name: "e".repeat(*size), ..Event::default() };
        let value = AnyValue { value: Some(Value::StringValue("v".repeat(tag_bytes))) };
        Span {
            name: "name".into(),
            events: event_sizes.iter().map(event).collect(),
            attributes: vec![KeyValue { key: "key".into(), value: Some(value), ..KeyValue::default() }],
            dropped_events_count: 5,
            ..Span::default()
        }
    }

    #[test]
    fn the_largest_logs_go_first_and_are_counted() {
        let trimmed = trim(&span(&[10, 900, 20, 800], 10).encode_to_vec(), 950).unwrap();
        assert!(trimmed.len() <= 950);
        let trimmed = Span::decode(&trimmed[..]).unwrap();
        let sizes: Vec<_> = trimmed.events.iter().map(|event| event.name.len()).collect();
        assert_eq!(sizes, [10, 20, 800]);
        assert_eq!((trimmed.dropped_events_count, trimmed.dropped_attributes_count), (6, 0));
        assert_eq!((trimmed.name.as_str(), trimmed.attributes.len()), ("name", 1));
    }

    #[test]
    fn tags_go_when_no_log_is_left() {
        let trimmed = trim(&span(&[100], 500).encode_to_vec(), 100).unwrap();
        let trimmed = Span::decode(&trimmed[..]).unwrap();
        assert_eq!((trimmed.dropped_events_count, trimmed.dropped_attributes_count), (6, 1));
        assert_eq!((trimmed.name.as_str(), trimmed.events.len()), ("name", 0));
    }

    #[test]
    fn what_cannot_fit_is_refused() {
        assert_eq!(trim(&span(&[], 1).encode_to_vec(), 20), None);
    }
}
