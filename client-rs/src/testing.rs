//! For the tests of programs that use this crate: a client that keeps its spans instead of sending them.
//!
//! ```
//! use spanmill::{Provider, testing};
//!
//! let capture = testing::capture();
//! Provider::new("acme-bank").call("authorize").declined("insufficient funds");
//!
//! let spans = capture.spans();
//! assert_eq!(spans[0].name, "acme-bank authorize");
//! assert_eq!(spans[0].tag("spanmill.outcome"), Some(&"declined".into()));
//! ```

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use spanmill_proto::otlp::{any_value, event, key_value, span, status};
use spanmill_proto::wire::{self, Field, Fields, Malformed};

use crate::engine::Engine;
use crate::id::{SpanId, TraceId};
use crate::recorder::{Settings, Stats};
use crate::settings::InitError;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Starts a client that keeps its spans. Captures of other tests wait until this one is dropped, because the
/// client is one per process; spans of tests that capture nothing are captured as well if they run meanwhile.
///
/// # Panics
/// When the program has started the client itself.
pub fn capture() -> Capture {
    let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let engine = start().expect("a capture needs that the program's own guard was dropped before");
    Capture { engine, _turn: turn }
}

fn start() -> Result<&'static Engine, InitError> {
    Engine::start_capture(Settings::from_env("rust")?)
}

/// The spans that ended since [`capture`].
#[derive(Debug)]
pub struct Capture {
    engine: &'static Engine,
    _turn: MutexGuard<'static, ()>,
}

impl Capture {
    /// The spans so far, in the order in which they ended.
    pub fn spans(&self) -> Vec<CapturedSpan> {
        let decode = |bytes: &Vec<u8>| CapturedSpan::decode(bytes).expect("the recorder writes valid spans");
        self.engine.captured().iter().map(decode).collect()
    }

    /// The same as bytes: the content of an OTLP `Span` message each. Nothing unmasked may be in there.
    pub fn encoded(&self) -> Vec<Vec<u8>> {
        self.engine.captured()
    }

    /// The spans as an indented tree, one line each: what a test can compare with a drawing.
    pub fn tree(&self) -> String {
        let spans = self.spans();
        let is_known = |id: SpanId| spans.iter().any(|span| span.span_id == id);
        let mut out = String::new();
        for root in spans.iter().filter(|span| !span.parent_span_id.is_some_and(is_known)) {
            draw(&spans, root, 0, &mut out);
        }
        out
    }

    /// The client's counters.
    pub fn stats(&self) -> Stats {
        self.engine.stats()
    }
}

fn draw(spans: &[CapturedSpan], span: &CapturedSpan, depth: usize, out: &mut String) {
    out.push_str(&"  ".repeat(depth));
    out.push_str(&span.name);
    out.push('\n');
    for child in spans.iter().filter(|child| child.parent_span_id == Some(span.span_id)) {
        draw(spans, child, depth + 1, out);
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.engine.stop(Duration::ZERO);
    }
}

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

    fn decode(bytes: &[u8]) -> Result<CapturedSpan, Malformed> {
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

fn value(mut fields: wire::Fields<'_>) -> Result<CapturedValue, Malformed> {
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
