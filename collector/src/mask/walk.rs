//! One walk over the request: finds what must be masked, counts the spans, checks the form.
//!
//! Only fields with a candidate in them, or under a key that says so, are given to the masking engine.

use spanmill_mask::{Key, Masker, Report};
use spanmill_proto::otlp::{
    self, any_value, entity_ref, event, key_value, link, request, resource, resource_spans, scope,
    scope_spans, span, status,
};
use spanmill_proto::wire::{self, DEPTH_MAX, Field, Fields, Malformed, Value};

use super::splice::Edit;

/// What the walk found.
#[derive(Debug, Default)]
pub struct Found {
    /// Ascending and apart.
    pub edits: Vec<Edit>,
    /// Spans that stay.
    pub spans: u32,
    /// Spans that `edits` cut out.
    pub rejected_spans: u32,
    /// Some of those that stay only tell that a span has begun.
    pub has_notices: bool,
}

/// Walks a request whose candidates are `offsets`, ascending.
pub fn walk(
    message: &[u8],
    masker: &Masker,
    offsets: &[u32],
    report: &mut Report,
) -> Result<Found, Malformed> {
    let mut walk = Walk { masker, offsets, report, found: Found::default() };
    walk.request(Fields::of(message))?;
    Ok(walk.found)
}

struct Walk<'w> {
    masker: &'w Masker,
    /// Candidates not passed yet. Fields are visited in the order of their bytes, so it only shrinks.
    offsets: &'w [u32],
    report: &'w mut Report,
    found: Found,
}

impl Walk<'_> {
    fn request(&mut self, mut fields: Fields<'_>) -> Result<(), Malformed> {
        while let Some(field) = fields.next()? {
            match field.number {
                request::RESOURCE_SPANS => self.resource_spans(field.message()?)?,
                _ => self.unknown(&field),
            }
        }
        Ok(())
    }

    fn resource_spans(&mut self, mut fields: Fields<'_>) -> Result<(), Malformed> {
        while let Some(field) = fields.next()? {
            match field.number {
                resource_spans::RESOURCE => self.resource(field.message()?)?,
                resource_spans::SCOPE_SPANS => self.scope_spans(field.message()?)?,
                resource_spans::SCHEMA_URL => self.text(&field, Key::Plain)?,
                _ => self.unknown(&field),
            }
        }
        Ok(())
    }

    fn resource(&mut self, mut fields: Fields<'_>) -> Result<(), Malformed> {
        while let Some(field) = fields.next()? {
            match field.number {
                resource::ATTRIBUTES => self.key_value(&field, Key::Plain, 0)?,
                resource::DROPPED_ATTRIBUTES_COUNT => drop(field.varint()?),
                resource::ENTITY_REFS => self.entity_ref(field.message()?)?,
                _ => self.unknown(&field),
            }
        }
        Ok(())
    }

    fn entity_ref(&mut self, mut fields: Fields<'_>) -> Result<(), Malformed> {
        while let Some(field) = fields.next()? {
            match field.number {
                entity_ref::SCHEMA_URL
                | entity_ref::TYPE
                | entity_ref::ID_KEYS
                | entity_ref::DESCRIPTION_KEYS => self.text(&field, Key::Plain)?,
                _ => self.unknown(&field),
            }
        }
        Ok(())
    }

    fn scope_spans(&mut self, mut fields: Fields<'_>) -> Result<(), Malformed> {
        while let Some(field) = fields.next()? {
            match field.number {
                scope_spans::SCOPE => self.scope(field.message()?)?,
                scope_spans::SPANS => self.span(&field)?,
                scope_spans::SCHEMA_URL => self.text(&field, Key::Plain)?,
                _ => self.unknown(&field),
            }
        }
        Ok(())
    }

    fn scope(&mut self, mut fields: Fields<'_>) -> Result<(), Malformed> {
        while let Some(field) = fields.next()? {
            match field.number {
                scope::NAME | scope::VERSION => self.text(&field, Key::Plain)?,
                scope::ATTRIBUTES => self.key_value(&field, Key::Plain, 0)?,
                scope::DROPPED_ATTRIBUTES_COUNT => drop(field.varint()?),
                _ => self.unknown(&field),
            }
        }
        Ok(())
    }

    fn span(&mut self, whole: &Field<'_>) -> Result<(), Malformed> {
        let edits_before = self.found.edits.len();
        let (mut trace_id, mut span_id): (&[u8], &[u8]) = (b"", b"");
        let mut fields = whole.message()?;
        while let Some(field) = fields.next()? {
            match field.number {
                span::TRACE_ID => trace_id = field.bytes()?,
                span::SPAN_ID => span_id = field.bytes()?,
                span::PARENT_SPAN_ID => drop(field.bytes()?),
                span::TRACE_STATE | span::NAME => self.text(&field, Key::Plain)?,
                span::KIND
                | span::DROPPED_ATTRIBUTES_COUNT
                | span::DROPPED_EVENTS_COUNT
                | span::DROPPED_LINKS_COUNT => drop(field.varint()?),
                span::START_TIME | span::END_TIME => drop(field.fixed64()?),
                span::ATTRIBUTES => {
                    self.found.has_notices |= otlp::says_notice(&field)?;
                    self.key_value(&field, Key::Plain, 0)?;
                }
                span::EVENTS => self.event(field.message()?)?,
                span::LINKS => self.link(field.message()?)?,
                span::STATUS => self.status(field.message()?)?,
                span::FLAGS => drop(field.fixed32()?),
                _ => self.unknown(&field),
            }
        }
        if is_id(trace_id, 16) && is_id(span_id, 8) {
            self.found.spans += 1;
        } else {
            self.found.rejected_spans += 1;
            self.found.edits.truncate(edits_before);
            self.found.edits.push(Edit { start: whole.start, end: whole.end, bytes: Vec::new() });
        }
        Ok(())
    }

    fn event(&mut self, mut fields: Fields<'_>) -> Result<(), Malformed> {
        while let Some(field) = fields.next()? {
            match field.number {
                event::TIME => drop(field.fixed64()?),
                event::NAME => self.text(&field, Key::Plain)?,
                event::ATTRIBUTES => self.key_value(&field, Key::Plain, 0)?,
                event::DROPPED_ATTRIBUTES_COUNT => drop(field.varint()?),
                _ => self.unknown(&field),
            }
        }
        Ok(())
    }

    fn link(&mut self, mut fields: Fields<'_>) -> Result<(), Malformed> {
        while let Some(field) = fields.next()? {
            match field.number {
                link::TRACE_ID | link::SPAN_ID => drop(field.bytes()?),
                link::TRACE_STATE => self.text(&field, Key::Plain)?,
                link::ATTRIBUTES => self.key_value(&field, Key::Plain, 0)?,
                link::DROPPED_ATTRIBUTES_COUNT => drop(field.varint()?),
                link::FLAGS => drop(field.fixed32()?),
                _ => self.unknown(&field),
            }
        }
        Ok(())
    }

    fn status(&mut self, mut fields: Fields<'_>) -> Result<(), Malformed> {
        while let Some(field) = fields.next()? {
            match field.number {
                status::MESSAGE => self.text(&field, Key::Plain)?,
                status::CODE => drop(field.varint()?),
                _ => self.unknown(&field),
            }
        }
        Ok(())
    }

    /// An attribute. Under a plain key counts what the key of the enclosing list says: a secret list holds
    /// secrets.
    fn key_value(&mut self, whole: &Field<'_>, outer: Key, depth: u32) -> Result<(), Malformed> {
        if let Some(name) = key_of_short_text(whole.bytes()?)
            && self.key(name, outer) == Key::Plain
            && !self.has_candidate(whole)
        {
            return Ok(());
        }
        let mut fields = whole.message()?;
        // Every writer that we know puts one key and then one value.
        if let Some(key_field) = fields.next()?
            && key_field.number == key_value::KEY
            && let Some(value_field) = fields.next()?
            && value_field.number == key_value::VALUE
            && fields.next()?.is_none()
        {
            let key = self.key(key_field.bytes()?, outer);
            self.text(&key_field, Key::Plain)?;
            return self.any_value(value_field.message()?, key, depth);
        }
        self.unusual_key_value(whole, outer, depth)
    }

    /// An attribute in any form that protobuf allows: the key may stand after the value, or twice, or nowhere.
    #[cold]
    fn unusual_key_value(&mut self, whole: &Field<'_>, outer: Key, depth: u32) -> Result<(), Malformed> {
        let mut name: &[u8] = b"";
        let mut fields = whole.message()?;
        while let Some(field) = fields.next()? {
            if field.number == key_value::KEY {
                name = field.bytes()?;
            }
        }
        let key = self.key(name, outer);
        let mut fields = whole.message()?;
        while let Some(field) = fields.next()? {
            match field.number {
                key_value::KEY => self.text(&field, Key::Plain)?,
                key_value::VALUE => self.any_value(field.message()?, key, depth)?,
                _ => self.unknown(&field),
            }
        }
        Ok(())
    }

    #[inline]
    fn key(&self, name: &[u8], outer: Key) -> Key {
        self.masker.key(name).within(outer)
    }

    fn any_value(&mut self, mut fields: Fields<'_>, key: Key, depth: u32) -> Result<(), Malformed> {
        if depth > DEPTH_MAX {
            return Err(Malformed::TooDeep);
        }
        while let Some(field) = fields.next()? {
            match field.number {
                any_value::STRING | any_value::BYTES => self.text(&field, key)?,
                any_value::BOOL => drop(field.varint()?),
                any_value::INT => {
                    if let Some(text) = self.masker.int(key, field.varint()? as i64, self.report) {
                        self.replace_number(&field, &text);
                    }
                }
                any_value::DOUBLE => {
                    let value = f64::from_bits(field.fixed64()?);
                    if let Some(text) = self.masker.double(key, value, self.report) {
                        self.replace_number(&field, &text);
                    }
                }
                any_value::ARRAY => self.array(field.message()?, key, depth)?,
                any_value::KVLIST => self.list(field.message()?, key, depth)?,
                _ => self.unknown(&field),
            }
        }
        Ok(())
    }

    /// Elements of an array stand under the array's key.
    fn array(&mut self, mut fields: Fields<'_>, key: Key, depth: u32) -> Result<(), Malformed> {
        while let Some(field) = fields.next()? {
            match field.number {
                any_value::VALUES => self.any_value(field.message()?, key, depth + 1)?,
                _ => self.unknown(&field),
            }
        }
        Ok(())
    }

    fn list(&mut self, mut fields: Fields<'_>, key: Key, depth: u32) -> Result<(), Malformed> {
        while let Some(field) = fields.next()? {
            match field.number {
                any_value::VALUES => self.key_value(&field, key, depth + 1)?,
                _ => self.unknown(&field),
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn text(&mut self, field: &Field<'_>, key: Key) -> Result<(), Malformed> {
        let text = field.bytes()?;
        if key != Key::Plain || self.has_candidate(field) {
            self.mask_text(field, key, text);
        }
        Ok(())
    }

    fn mask_text(&mut self, field: &Field<'_>, key: Key, text: &[u8]) {
        if let Some(masked) = self.masker.text(key, text, self.report) {
            let mut bytes = Vec::with_capacity(masked.len() + 5);
            wire::put_varint(&mut bytes, masked.len() as u64);
            bytes.extend_from_slice(&masked);
            self.found.edits.push(Edit { start: field.after_tag, end: field.end, bytes });
        }
    }

    /// A masked number becomes a `string_value`.
    fn replace_number(&mut self, field: &Field<'_>, text: &str) {
        let mut bytes = Vec::with_capacity(text.len() + 2);
        wire::put_bytes(&mut bytes, any_value::STRING, text.as_bytes());
        self.found.edits.push(Edit { start: field.start, end: field.end, bytes });
    }

    /// A field of a newer OTLP: passed on as it is, unless it holds a secret. What it means is not known, so
    /// its length stays: a masked text that is longer or shorter gives way to asterisks.
    fn unknown(&mut self, field: &Field<'_>) {
        let Value::Bytes(text) = field.value else { return };
        if !self.has_candidate(field) {
            return;
        }
        if let Some(masked) = self.masker.text(Key::Plain, text, self.report) {
            let bytes = if masked.len() == text.len() { masked } else { vec![b'*'; text.len()] };
            self.found.edits.push(Edit { start: field.content, end: field.end, bytes });
        }
    }

    /// Whether a candidate lies in `field`; forgets those before it.
    #[inline]
    fn has_candidate(&mut self, field: &Field<'_>) -> bool {
        while let [first, rest @ ..] = self.offsets {
            if (*first as usize) >= field.content {
                return (*first as usize) < field.end;
            }
            self.offsets = rest;
        }
        false
    }
}

/// The key of an attribute that is a short text in the usual form.
#[inline(always)]
fn key_of_short_text(key_value: &[u8]) -> Option<&[u8]> {
    let (key, value) = otlp::short_key_value(key_value)?;
    otlp::short_text(value).map(|_| key)
}

/// OTLP: ids that are all zero or of another length are not valid.
fn is_id(id: &[u8], length: usize) -> bool {
    id.len() == length && id.iter().any(|byte| *byte != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_form_of_an_attribute_is_known_and_nothing_else() {
        let attribute = |key: &str, text: &str| {
            let mut value = Vec::new();
            wire::put_bytes(&mut value, any_value::STRING, text.as_bytes());
            let mut out = Vec::new();
            wire::put_bytes(&mut out, key_value::KEY, key.as_bytes());
            wire::put_bytes(&mut out, key_value::VALUE, &value);
            out
        };
        let short = attribute("http.method", "POST");
        assert_eq!(key_of_short_text(&short), Some(&b"http.method"[..]));
        assert_eq!(key_of_short_text(&attribute("", "")), Some(&b""[..]));
        assert_eq!(key_of_short_text(&attribute("k", &"x".repeat(125))), Some(&b"k"[..]));
        for other in [attribute("k", &"x".repeat(126)), attribute(&"k".repeat(128), "x"), Vec::new()] {
            assert_eq!(key_of_short_text(&other), None);
        }
        for cut in 0..short.len() {
            assert_eq!(key_of_short_text(&short[..cut]), None, "cut to {cut}");
        }
        assert_eq!(key_of_short_text(&[&short[..], &[0x10, 1]].concat()), None, "something follows");
    }

    #[test]
    fn an_id_of_zeros_or_of_another_length_is_not_valid() {
        assert!(is_id(&[1; 16], 16));
        assert!(!is_id(&[0; 16], 16));
        assert!(!is_id(&[1; 15], 16));
        assert!(!is_id(b"", 8));
    }
}
