//! Spans of a capture, read back from their bytes.

use spanmill_proto::otlp::{any_value, event, key_value, span, status};
use spanmill_proto::wire::{Field, Fields, Malformed};

use crate::id::{SpanId, TraceId};

/// A span as it would have been sent.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CapturedSpan {
    /// The id of its trace.
    pub trace_id: TraceId,
    /// Its own id.
    pub span_id: SpanId,
    /// The id of the span it belongs under.
    pub parent_span_id: Option<SpanId>,
    /// Its name, masked.
    pub name: String,
    /// The number of its kind in OTLP: 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
    pub kind: u64,
    /// When it began, in unix nanoseconds.
    pub start_ns: u64,
    /// When it ended, in unix nanoseconds.
    pub end_ns: u64,
    /// Its tags in their order, masked.
    pub tags: Vec<(String, CapturedValue)>,
    /// Its logs in their order.
    pub logs: Vec<CapturedLog>,
    /// The number of its status in OTLP: 0 not set, 1 ok, 2 error.
    pub status: u64,
    /// The text of its status, masked.
    pub status_message: String,
    /// Tags that did not fit.
    pub dropped_tags: u64,
    /// Logs that did not fit.
    pub dropped_logs: u64,
}

/// A log as it would have been sent.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct CapturedLog {
    /// Its name, masked.
    pub name: String,
    /// When it was written, in unix nanoseconds.
    pub time_ns: u64,
    /// Its tags in their order, masked.
    pub tags: Vec<(String, CapturedValue)>,
}

/// A value as it would have been sent.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum CapturedValue {
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A whole number.
    Int(i64),
    /// A floating-point number.
    Double(f64),
    /// Yes or no.
    Bool(bool),
    /// Values in their order.
    List(Vec<CapturedValue>),
}

impl From<&str> for CapturedValue {
    fn from(text: &str) -> Self {
        CapturedValue::Text(text.into())
    }
}

impl CapturedSpan {
    /// The value of a tag; of several, the last.
    pub fn tag(&self, key: &str) -> Option<&CapturedValue> {
        find(&self.tags, key)
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<CapturedSpan, Malformed> {
        let mut out = CapturedSpan {
            trace_id: TraceId([0; 16]),
            span_id: SpanId([0; 8]),
            parent_span_id: None,
            name: String::new(),
            kind: 0,
            start_ns: 0,
            end_ns: 0,
            tags: Vec::new(),
            logs: Vec::new(),
            status: 0,
            status_message: String::new(),
            dropped_tags: 0,
            dropped_logs: 0,
        };
        let mut fields = Fields::of(bytes);
        while let Some(field) = fields.next()? {
            match field.number {
                span::TRACE_ID => out.trace_id = TraceId(array(&field)?),
                span::SPAN_ID => out.span_id = SpanId(array(&field)?),
                span::PARENT_SPAN_ID => out.parent_span_id = Some(SpanId(array(&field)?)),
                span::NAME => out.name = text(&field)?,
                span::KIND => out.kind = field.varint()?,
                span::START_TIME => out.start_ns = field.fixed64()?,
                span::END_TIME => out.end_ns = field.fixed64()?,
                span::ATTRIBUTES => out.tags.push(tag(&field)?),
                span::EVENTS => out.logs.push(CapturedLog::decode(&field)?),
                span::STATUS => out.decode_status(&field)?,
                span::DROPPED_ATTRIBUTES_COUNT => out.dropped_tags = field.varint()?,
                span::DROPPED_EVENTS_COUNT => out.dropped_logs = field.varint()?,
                _ => {}
            }
        }
        Ok(out)
    }

    fn decode_status(&mut self, field: &Field<'_>) -> Result<(), Malformed> {
        let mut fields = field.message()?;
        while let Some(field) = fields.next()? {
            match field.number {
                status::CODE => self.status = field.varint()?,
                status::MESSAGE => self.status_message = text(&field)?,
                _ => {}
            }
        }
        Ok(())
    }
}

impl CapturedLog {
    /// The value of a tag; of several, the last.
    pub fn tag(&self, key: &str) -> Option<&CapturedValue> {
        find(&self.tags, key)
    }

    fn decode(field: &Field<'_>) -> Result<CapturedLog, Malformed> {
        let mut out = CapturedLog::default();
        let mut fields = field.message()?;
        while let Some(field) = fields.next()? {
            match field.number {
                event::NAME => out.name = text(&field)?,
                event::TIME => out.time_ns = field.fixed64()?,
                event::ATTRIBUTES => out.tags.push(tag(&field)?),
                _ => {}
            }
        }
        Ok(out)
    }
}

fn find<'t>(tags: &'t [(String, CapturedValue)], key: &str) -> Option<&'t CapturedValue> {
    tags.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value)
}

fn array<const N: usize>(field: &Field<'_>) -> Result<[u8; N], Malformed> {
    field.bytes()?.try_into().map_err(|_| Malformed::Truncated)
}

fn text(field: &Field<'_>) -> Result<String, Malformed> {
    Ok(String::from_utf8_lossy(field.bytes()?).into_owned())
}

fn tag(field: &Field<'_>) -> Result<(String, CapturedValue), Malformed> {
    let mut tag = (String::new(), CapturedValue::List(Vec::new()));
    let mut fields = field.message()?;
    while let Some(field) = fields.next()? {
        match field.number {
            key_value::KEY => tag.0 = text(&field)?,
            key_value::VALUE => tag.1 = value(field.message()?)?,
            _ => {}
        }
    }
    Ok(tag)
}

fn value(mut fields: Fields<'_>) -> Result<CapturedValue, Malformed> {
    let mut out = CapturedValue::List(Vec::new());
    while let Some(field) = fields.next()? {
        out = match field.number {
            any_value::STRING => CapturedValue::Text(text(&field)?),
            any_value::BYTES => CapturedValue::Bytes(field.bytes()?.to_vec()),
            any_value::INT => CapturedValue::Int(field.varint()? as i64),
            any_value::DOUBLE => CapturedValue::Double(f64::from_bits(field.fixed64()?)),
            any_value::BOOL => CapturedValue::Bool(field.varint()? != 0),
            any_value::ARRAY => {
                let mut values = Vec::new();
                let mut items = field.message()?;
                while let Some(item) = items.next()? {
                    values.push(value(item.message()?)?);
                }
                CapturedValue::List(values)
            }
            _ => out,
        };
    }
    Ok(out)
}
