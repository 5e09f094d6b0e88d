//! One encoded request: every text and number of it, and which span and position each belongs to.

use spanmill_mask::{Key, Report as Counts};
use spanmill_proto::otlp::{any_value, event, key_value, link, scope, span, status};
use spanmill_proto::wire::{DEPTH_MAX, Field, Fields, Malformed, Value};

use super::report::{Place, Report};
use super::{Error, text};
use crate::mask::Message;

/// Looks through an encoded request. One that is not well-formed is looked through as text.
pub fn scan(request: &[u8], report: &mut Report<'_>) -> Result<(), Error> {
    let mut scan = Scan { report, ids: (String::new(), String::new()), failed: None };
    let read = scan.message(Message::Request, Fields::of(request), &At::default());
    if let Some(error) = scan.failed {
        return Err(error);
    }
    if let Err(malformed) = read {
        report.note(&format!("a message is damaged ({malformed}), and is read as text"));
        return text::scan_line(request, 1, report);
    }
    Ok(())
}

struct Scan<'s, 'r> {
    report: &'s mut Report<'r>,
    /// Of the span at hand, in hexadecimal digits.
    ids: (String, String),
    /// The findings could not be written.
    failed: Option<Error>,
}

/// Where in a request the walk is.
#[derive(Clone)]
struct At {
    label: String,
    /// What the keys around say of a value.
    key: Key,
    depth: u32,
}

impl Default for At {
    fn default() -> At {
        At { label: String::new(), key: Key::Plain, depth: 0 }
    }
}

impl At {
    fn with(&self, part: &str) -> At {
        let comma = if self.label.is_empty() { "" } else { ", " };
        At { label: format!("{}{comma}{part}", self.label), ..self.clone() }
    }
}

impl Scan<'_, '_> {
    fn message(&mut self, kind: Message, mut fields: Fields<'_>, at: &At) -> Result<(), Malformed> {
        if at.depth > DEPTH_MAX * 3 {
            return Err(Malformed::TooDeep);
        }
        let mut count = 0;
        while let Some(field) = fields.next()? {
            match kind.child(field.number) {
                Some(child) => {
                    count += 1;
                    let at = self.inside(kind, child, &field, at, count)?;
                    self.message(child, field.message()?, &at)?;
                    if child == Message::Span {
                        self.ids = Default::default();
                    }
                }
                None => self.leaf(kind, &field, at),
            }
        }
        Ok(())
    }

    /// Where the message in `field` is, the `count`th of its parent.
    fn inside(
        &mut self,
        kind: Message,
        child: Message,
        field: &Field<'_>,
        at: &At,
        count: usize,
    ) -> Result<At, Malformed> {
        let mut inside = match (kind, child) {
            (_, Message::Resource) => at.with("resource"),
            (_, Message::EntityRef) => at.with("entity"),
            (_, Message::Scope) => at.with("scope"),
            (_, Message::Event) => at.with(&self.event(field)),
            (_, Message::Link) => at.with("link"),
            (_, Message::Status) => at.with("status"),
            (_, Message::KeyValue) => self.attribute(field, at)?,
            (Message::Array, _) => At { label: format!("{}[{}]", at.label, count - 1), ..at.clone() },
            (_, Message::Span) => {
                self.span(field)?;
                At::default()
            }
            _ => at.clone(),
        };
        inside.depth = at.depth + 1;
        Ok(inside)
    }

    /// How an event is told from others: by its name, masked.
    fn event(&self, field: &Field<'_>) -> String {
        let name = field.message().ok().and_then(|mut fields| first(&mut fields, event::NAME));
        format!("event \"{}\"", self.shown(name.unwrap_or_default()))
    }

    fn attribute(&mut self, field: &Field<'_>, at: &At) -> Result<At, Malformed> {
        let name = first(&mut field.message()?, key_value::KEY).unwrap_or_default();
        let key = self.report.masker.key(name).within(at.key);
        Ok(At { key, ..at.with(&format!("attribute \"{}\"", self.shown(name))) })
    }

    fn span(&mut self, field: &Field<'_>) -> Result<(), Malformed> {
        let trace_id = first(&mut field.message()?, span::TRACE_ID).unwrap_or_default();
        let span_id = first(&mut field.message()?, span::SPAN_ID).unwrap_or_default();
        self.ids = (hex(trace_id), hex(span_id));
        self.report.span();
        Ok(())
    }

    /// Text from a span that is shown in a place: masked, for a key can hold a secret too.
    fn shown(&self, text: &[u8]) -> String {
        let masked = self.report.masker.text(Key::Plain, text, &mut Counts::default());
        String::from_utf8_lossy(masked.as_deref().unwrap_or(text)).chars().take(LABEL_LEN_MAX).collect()
    }

    fn leaf(&mut self, kind: Message, field: &Field<'_>, at: &At) {
        let part = match (kind, field.number) {
            (Message::Span, span::TRACE_ID | span::SPAN_ID | span::PARENT_SPAN_ID) => return,
            (Message::Link, link::TRACE_ID | link::SPAN_ID) => return,
            (Message::AnyValue, any_value::STRING | any_value::BYTES) => "",
            (Message::AnyValue, any_value::INT | any_value::DOUBLE) => return self.number_value(field, at),
            (Message::KeyValue, key_value::KEY) => "key",
            (Message::Span, span::NAME) | (Message::Event, event::NAME) | (Message::Scope, scope::NAME) => {
                "name"
            }
            (Message::Span, span::TRACE_STATE) | (Message::Link, link::TRACE_STATE) => "trace state",
            (Message::Status, status::MESSAGE) => "message",
            (Message::Scope, scope::VERSION) => "version",
            (Message::ResourceSpans | Message::ScopeSpans, _) => "schema URL",
            _ => "other field",
        };
        let Value::Bytes(text) = field.value else { return };
        let key = if part.is_empty() { at.key } else { Key::Plain };
        let at = if part.is_empty() { at.clone() } else { at.with(part) };
        for hit in self.report.masker.hits(key, text) {
            let before = &text[..hit.range.start];
            let character = 1 + before.iter().filter(|&&b| b & 0xc0 != 0x80).count() as u64;
            let place = self.place(&at, character);
            let told = self.report.found(&place, &hit);
            self.failed = self.failed.take().or(told.err());
        }
    }

    fn number_value(&mut self, field: &Field<'_>, at: &At) {
        let counts = &mut Counts::default();
        let masked = match field.value {
            Value::Varint(value) => self.report.masker.int(at.key, value as i64, counts),
            Value::Fixed64(bits) => self.report.masker.double(at.key, f64::from_bits(bits), counts),
            _ => None,
        };
        if let Some(masked) = masked {
            let place = self.place(at, 1);
            let told = self.report.found_number(&place, at.key, &masked);
            self.failed = self.failed.take().or(told.err());
        }
    }

    fn place(&self, at: &At, character: u64) -> Place {
        let (trace_id, span_id) = self.ids.clone();
        Place::Span { trace_id, span_id, position: at.label.clone(), character }
    }
}

/// Longer keys and names are shown in part.
const LABEL_LEN_MAX: usize = 64;

fn first<'a>(fields: &mut Fields<'a>, number: u32) -> Option<&'a [u8]> {
    while let Ok(Some(field)) = fields.next() {
        if field.number == number {
            return field.bytes().ok();
        }
    }
    None
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
