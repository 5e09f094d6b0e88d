//! A span's growing bytes: each tag and each log is written in the wire form at once, masked on its way.

use std::borrow::Cow;

use spanmill_mask::Key;
#[cfg(feature = "otel")]
use spanmill_proto::otlp::link;
use spanmill_proto::otlp::{any_value, event, key_value, span};
use spanmill_proto::wire;

use super::limits::{NAME_BYTES_MAX, Rules, SPAN_BYTES_MAX};
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
    pub(super) dropped_links: u32,
}

impl Body {
    pub(super) fn new(rules: &'static Rules, bytes: Vec<u8>) -> Body {
        let scrubber = Scrubber::new(rules);
        Body { bytes, scrubber, tags: 0, logs: 0, dropped_tags: 0, dropped_logs: 0, dropped_links: 0 }
    }

    /// Begins another span in the same buffer.
    pub(super) fn begin(&mut self, rules: &'static Rules) {
        self.bytes.clear();
        self.scrubber.begin(rules);
        (self.tags, self.logs) = (0, 0);
        (self.dropped_tags, self.dropped_logs, self.dropped_links) = (0, 0, 0);
    }

    /// Field `number` as masked text: a name, a status message.
    pub(super) fn text(&mut self, number: u32, text: &str, bytes_max: usize) {
        let text = self.scrubber.text(Key::Plain, text.as_bytes(), bytes_max);
        wire::put_bytes(&mut self.bytes, number, &text);
    }

    /// A tag of the span.
    pub(super) fn tag(&mut self, key: &str, value: &Value<'_>) {
        if self.tags >= self.scrubber.rules().limits.tags_max || self.bytes.len() >= SPAN_BYTES_MAX {
            self.dropped_tags += 1;
            return;
        }
        self.tags += 1;
        self.key_value(span::ATTRIBUTES, key, value);
    }

    /// A tag that this crate sets itself, whatever the limits say. Its key is known to be harmless.
    pub(super) fn own_tag(&mut self, key: &'static str, value: &Value<'_>) {
        self.any_tag(span::ATTRIBUTES, key.as_bytes(), Key::Plain, value);
    }

    /// The same text under several keys of our own, masked once; gives back what was written.
    pub(super) fn own_text<'t>(&mut self, keys: &[&'static str], text: &'t str) -> Cow<'t, [u8]> {
        let text = self.scrubber.value(Key::Plain, text.as_bytes());
        for key in keys {
            put_tag(&mut self.bytes, span::ATTRIBUTES, key.as_bytes(), any_value::STRING, &text);
        }
        text
    }

    /// A text of our own that holds nothing of the user's.
    pub(super) fn own_word(&mut self, key: &'static str, word: &'static str) {
        put_tag(&mut self.bytes, span::ATTRIBUTES, key.as_bytes(), any_value::STRING, word.as_bytes());
    }

    /// Opens a log; `None` when the span is full.
    pub(super) fn log(&mut self, name: &str, time_ns: u64) -> Option<Log<'_>> {
        if self.logs >= self.scrubber.rules().limits.logs_max || self.bytes.len() >= SPAN_BYTES_MAX {
            self.dropped_logs += 1;
            return None;
        }
        self.logs += 1;
        let mark = wire::open(&mut self.bytes, span::EVENTS);
        wire::put_fixed64(&mut self.bytes, event::TIME, time_ns);
        self.text(event::NAME, name, NAME_BYTES_MAX);
        Some(Log { body: self, mark, field: event::ATTRIBUTES, tags: 0, dropped_tags: 0 })
    }

    /// Opens a link to another span; `None` when the span is full. Links count as logs do.
    #[cfg(feature = "otel")]
    pub(super) fn link(&mut self, to: &crate::Context) -> Option<Log<'_>> {
        if self.logs >= self.scrubber.rules().limits.logs_max || self.bytes.len() >= SPAN_BYTES_MAX {
            self.dropped_links += 1;
            return None;
        }
        self.logs += 1;
        let mark = wire::open(&mut self.bytes, span::LINKS);
        wire::put_bytes(&mut self.bytes, link::TRACE_ID, &to.trace_id.0);
        wire::put_bytes(&mut self.bytes, link::SPAN_ID, &to.span_id.0);
        if let Some(state) = to.tracestate() {
            wire::put_bytes(&mut self.bytes, link::TRACE_STATE, state.as_bytes());
        }
        Some(Log { body: self, mark, field: link::ATTRIBUTES, tags: 0, dropped_tags: 0 })
    }

    fn key_value(&mut self, field: u32, key: &str, value: &Value<'_>) {
        let class = self.scrubber.key(key);
        if is_suspicious(key) {
            let key = self.scrubber.text(Key::Plain, key.as_bytes(), NAME_BYTES_MAX);
            self.any_tag(field, &key, class, value);
        } else {
            self.any_tag(field, key.as_bytes(), class, value);
        }
    }

    /// A tag whose lengths are known before it is written, for text; else by way of [`wire::close`].
    fn any_tag(&mut self, field: u32, key: &[u8], class: Key, value: &Value<'_>) {
        let text = match value {
            Value::Text(text) => Some((any_value::STRING, text.as_bytes())),
            Value::Bytes(bytes) => Some((any_value::BYTES, *bytes)),
            _ => None,
        };
        if let Some((number, text)) = text {
            let text = self.scrubber.value(class, text);
            return put_tag(&mut self.bytes, field, key, number, &text);
        }
        let whole = wire::open(&mut self.bytes, field);
        wire::put_bytes(&mut self.bytes, key_value::KEY, key);
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
        let masked = self.scrubber.value(class, bytes);
        wire::put_bytes(&mut self.bytes, field, &masked);
    }

    fn list(&mut self, class: Key, values: &[Value<'_>]) {
        let mark = wire::open(&mut self.bytes, any_value::ARRAY);
        for value in values.iter().filter(|value| !matches!(value, Value::List(_))) {
            if self.bytes.len() - mark >= self.scrubber.rules().limits.value_bytes_max {
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

/// A `KeyValue` with text or bytes, as field `field`.
#[inline]
fn put_tag(out: &mut Vec<u8>, field: u32, key: &[u8], number: u32, value: &[u8]) {
    let value_bytes = 1 + wire::varint_len(value.len() as u64) + value.len();
    let tag_bytes = 1
        + wire::varint_len(key.len() as u64)
        + key.len()
        + 1
        + wire::varint_len(value_bytes as u64)
        + value_bytes;
    wire::put_tag(out, field, 2);
    wire::put_varint(out, tag_bytes as u64);
    wire::put_bytes(out, key_value::KEY, key);
    wire::put_tag(out, key_value::VALUE, 2);
    wire::put_varint(out, value_bytes as u64);
    wire::put_bytes(out, number, value);
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
    /// The field that holds its tags.
    field: u32,
    tags: u32,
    dropped_tags: u32,
}

impl Log<'_> {
    /// Adds a tag to the log.
    pub fn tag<'v>(mut self, key: &str, value: impl Into<Value<'v>>) -> Self {
        if self.tags >= self.body.scrubber.rules().limits.log_tags_max
            || self.body.bytes.len() >= SPAN_BYTES_MAX
        {
            self.dropped_tags += 1;
        } else {
            self.tags += 1;
            self.body.key_value(self.field, key, &value.into());
        }
        self
    }
}

/// Closing in `Drop` keeps the span well-formed when the closure that writes the log panics.
impl Drop for Log<'_> {
    fn drop(&mut self) {
        if self.dropped_tags > 0 {
            let dropped = u64::from(self.dropped_tags);
            // The count stands behind the tags, in events and in links.
            wire::put_uint(&mut self.body.bytes, self.field + 1, dropped);
        }
        wire::close(&mut self.body.bytes, self.mark);
    }
}

impl std::fmt::Debug for Log<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").field("tags", &self.tags).finish_non_exhaustive()
    }
}
