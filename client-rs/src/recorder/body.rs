//! A span's growing bytes: each tag and each log is written in the wire form at once, masked on its way.

use std::borrow::Cow;

use spanmill_mask::{Key, Masker};
use spanmill_proto::otlp::{any_value, event, key_value, span};
use spanmill_proto::wire;

use super::limits::{LOGS_MAX, NAME_BYTES_MAX, SPAN_BYTES_MAX, TAGS_MAX, VALUE_BYTES_MAX};
use super::mask::Scrubber;
use crate::value::Value;

/// A key with this many digits may be a card number that somebody took for a key.
const KEY_DIGITS_SUSPICIOUS: usize = 12;

/// Fields of a `Span`, in any order, as protobuf allows.
pub(super) struct Body {
    pub(super) bytes: Vec<u8>,
    pub(super) scrubber: Scrubber,
    tags: u32,
    logs: u32,
    pub(super) dropped_tags: u32,
    pub(super) dropped_logs: u32,
}

impl Body {
    pub(super) fn new(masker: &'static Masker, mut bytes: Vec<u8>) -> Body {
        bytes.clear();
        Body { bytes, scrubber: Scrubber::new(masker), tags: 0, logs: 0, dropped_tags: 0, dropped_logs: 0 }
    }

    /// Field `number` as masked text: a name, a status message.
    pub(super) fn text(&mut self, number: u32, text: &str, bytes_max: usize) {
        let text = self.scrubber.text(Key::Plain, text.as_bytes(), bytes_max);
        wire::put_bytes(&mut self.bytes, number, &text);
    }

    /// The name of a call, `provider operation`, masked as one text.
    pub(super) fn call_name(&mut self, provider: &str, operation: &str) {
        let mark = wire::open(&mut self.bytes, span::NAME);
        self.bytes.extend_from_slice(provider.as_bytes());
        self.bytes.push(b' ');
        self.bytes.extend_from_slice(operation.as_bytes());
        let name = mark + 1..self.bytes.len();
        match self.scrubber.text(Key::Plain, &self.bytes[name.clone()], NAME_BYTES_MAX) {
            // Borrowed is a beginning of what already stands there.
            Cow::Borrowed(kept) => {
                let end = name.start + kept.len();
                self.bytes.truncate(end);
            }
            Cow::Owned(masked) => {
                self.bytes.truncate(name.start);
                self.bytes.extend_from_slice(&masked);
            }
        }
        wire::close(&mut self.bytes, mark);
    }

    /// A tag of the span.
    pub(super) fn tag(&mut self, key: &str, value: &Value<'_>) {
        if self.tags >= TAGS_MAX || self.bytes.len() >= SPAN_BYTES_MAX {
            self.dropped_tags += 1;
            return;
        }
        self.tags += 1;
        self.key_value(span::ATTRIBUTES, key, value);
    }

    /// A tag that this crate sets itself, whatever the limits say. Its key is known to be harmless.
    pub(super) fn own_tag(&mut self, key: &'static str, value: &Value<'_>) {
        let whole = wire::open(&mut self.bytes, span::ATTRIBUTES);
        wire::put_bytes(&mut self.bytes, key_value::KEY, key.as_bytes());
        let mark = wire::open(&mut self.bytes, key_value::VALUE);
        self.any_value(Key::Plain, value);
        wire::close(&mut self.bytes, mark);
        wire::close(&mut self.bytes, whole);
    }

    /// The same text under several keys of our own, masked once.
    pub(super) fn own_text(&mut self, keys: &[&'static str], text: &str) {
        let text = self.scrubber.text(Key::Plain, text.as_bytes(), VALUE_BYTES_MAX);
        let value_bytes = 1 + wire::varint_len(text.len() as u64) + text.len();
        for key in keys {
            let whole = wire::open(&mut self.bytes, span::ATTRIBUTES);
            wire::put_bytes(&mut self.bytes, key_value::KEY, key.as_bytes());
            wire::put_tag(&mut self.bytes, key_value::VALUE, 2);
            wire::put_varint(&mut self.bytes, value_bytes as u64);
            wire::put_bytes(&mut self.bytes, any_value::STRING, &text);
            wire::close(&mut self.bytes, whole);
        }
    }

    /// Opens a log; `None` when the span is full.
    pub(super) fn log(&mut self, name: &str, time_ns: u64) -> Option<Log<'_>> {
        if self.logs >= LOGS_MAX || self.bytes.len() >= SPAN_BYTES_MAX {
            self.dropped_logs += 1;
            return None;
        }
        self.logs += 1;
        let mark = wire::open(&mut self.bytes, span::EVENTS);
        wire::put_fixed64(&mut self.bytes, event::TIME, time_ns);
        self.text(event::NAME, name, NAME_BYTES_MAX);
        Some(Log { body: self, mark, tags: 0, dropped_tags: 0 })
    }

    fn key_value(&mut self, field: u32, key: &str, value: &Value<'_>) {
        let class = self.scrubber.key(key);
        let whole = wire::open(&mut self.bytes, field);
        if is_suspicious(key) {
            self.text(key_value::KEY, key, NAME_BYTES_MAX);
        } else {
            wire::put_bytes(&mut self.bytes, key_value::KEY, key.as_bytes());
        }
        let mark = wire::open(&mut self.bytes, key_value::VALUE);
        self.any_value(class, value);
        wire::close(&mut self.bytes, mark);
        wire::close(&mut self.bytes, whole);
    }

    fn any_value(&mut self, class: Key, value: &Value<'_>) {
        match value {
            Value::Text(text) => self.masked(class, any_value::STRING, text.as_bytes()),
            Value::Bytes(bytes) => self.masked(class, any_value::BYTES, bytes),
            Value::Bool(value) => wire::put_uint(&mut self.bytes, any_value::BOOL, u64::from(*value)),
            Value::Int(value) => match self.scrubber.int(class, *value) {
                None => wire::put_uint(&mut self.bytes, any_value::INT, *value as u64),
                Some(masked) => wire::put_bytes(&mut self.bytes, any_value::STRING, masked.as_bytes()),
            },
            Value::Double(value) => match self.scrubber.double(class, *value) {
                None => wire::put_fixed64(&mut self.bytes, any_value::DOUBLE, value.to_bits()),
                Some(masked) => wire::put_bytes(&mut self.bytes, any_value::STRING, masked.as_bytes()),
            },
            Value::List(values) => self.list(class, values),
        }
    }

    fn masked(&mut self, class: Key, field: u32, bytes: &[u8]) {
        let masked = self.scrubber.text(class, bytes, VALUE_BYTES_MAX);
        wire::put_bytes(&mut self.bytes, field, &masked);
    }

    fn list(&mut self, class: Key, values: &[Value<'_>]) {
        let mark = wire::open(&mut self.bytes, any_value::ARRAY);
        for value in values.iter().filter(|value| !matches!(value, Value::List(_))) {
            if self.bytes.len() - mark >= VALUE_BYTES_MAX {
                self.scrubber.truncated += 1;
                break;
            }
            let item = wire::open(&mut self.bytes, any_value::VALUES);
            self.any_value(class, value);
            wire::close(&mut self.bytes, item);
        }
        wire::close(&mut self.bytes, mark);
    }
}

fn is_suspicious(key: &str) -> bool {
    let digits = key.bytes().filter(|byte| byte.is_ascii_digit() || !byte.is_ascii()).count();
    key.len() > NAME_BYTES_MAX || digits >= KEY_DIGITS_SUSPICIOUS
}

/// A log that is being written: a name, a time and tags of its own. See [`Call::log`](crate::Call::log).
#[must_use = "return it from the closure"]
pub struct Log<'b> {
    body: &'b mut Body,
    mark: usize,
    tags: u32,
    dropped_tags: u32,
}

impl Log<'_> {
    /// Adds a tag to the log.
    pub fn tag<'v>(mut self, key: &str, value: impl Into<Value<'v>>) -> Self {
        if self.tags >= TAGS_MAX || self.body.bytes.len() >= SPAN_BYTES_MAX {
            self.dropped_tags += 1;
        } else {
            self.tags += 1;
            self.body.key_value(event::ATTRIBUTES, key, &value.into());
        }
        self
    }
}

/// Closing in `Drop` keeps the span well-formed when the closure that writes the log panics.
impl Drop for Log<'_> {
    fn drop(&mut self) {
        if self.dropped_tags > 0 {
            let dropped = u64::from(self.dropped_tags);
            wire::put_uint(&mut self.body.bytes, event::DROPPED_ATTRIBUTES_COUNT, dropped);
        }
        wire::close(&mut self.body.bytes, self.mark);
    }
}

impl std::fmt::Debug for Log<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").field("tags", &self.tags).finish_non_exhaustive()
    }
}
