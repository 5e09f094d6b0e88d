//! The wire form of a span as every exporter writes it, read in a few instructions a field.
//!
//! `spanmill_proto::wire` says where each field stands, which costs stores that nobody here needs: with it a
//! span took 1.7 times as long. What is not in the usual form goes there all the same, so both read alike.

use spanmill_proto::otlp::{self, Scalar};
use spanmill_proto::wire::{Field, Fields, Malformed, Value};

/// The fields of a message, without their places.
#[derive(Debug, Clone, Copy)]
pub struct Scan<'a> {
    rest: &'a [u8],
}

impl<'a> Scan<'a> {
    pub fn of(message: &'a [u8]) -> Scan<'a> {
        Scan { rest: message }
    }

    /// Number and value of the next field, or `None` at the end.
    #[inline(always)] // the loops around it are the hot path, and want the value in registers
    #[allow(clippy::should_implement_trait)] // an Iterator of Results would stop nobody from reading past an error
    pub fn next(&mut self) -> Result<Option<(u32, Value<'a>)>, Malformed> {
        match *self.rest {
            // A tag of one byte, that is a number below 16, and a length of one or two.
            [tag, length, ref rest @ ..] if tag & 0x87 == 2 && length < 0x80 && tag > 7 => {
                let Some((bytes, rest)) = rest.split_at_checked(usize::from(length)) else {
                    return Err(Malformed::Truncated);
                };
                self.rest = rest;
                Ok(Some((u32::from(tag >> 3), Value::Bytes(bytes))))
            }
            [tag, low, high, ref rest @ ..] if tag & 0x87 == 2 && high < 0x80 && tag > 7 => {
                let length = usize::from(low & 0x7f) | usize::from(high) << 7;
                let Some((bytes, rest)) = rest.split_at_checked(length) else {
                    return Err(Malformed::Truncated);
                };
                self.rest = rest;
                Ok(Some((u32::from(tag >> 3), Value::Bytes(bytes))))
            }
            // Times, and the kind.
            [tag, ref rest @ ..] if tag & 0x87 == 1 && tag > 7 => {
                let Some((value, rest)) = rest.split_first_chunk() else { return Err(Malformed::Truncated) };
                self.rest = rest;
                Ok(Some((u32::from(tag >> 3), Value::Fixed64(u64::from_le_bytes(*value)))))
            }
            [tag, value, ref rest @ ..] if tag & 0x87 == 0 && value < 0x80 && tag > 7 => {
                self.rest = rest;
                Ok(Some((u32::from(tag >> 3), Value::Varint(u64::from(value)))))
            }
            [] => Ok(None),
            _ => {
                let Field { number, value, end, .. } = field_of_any_form(self.rest)?;
                self.rest = &self.rest[end..];
                Ok(Some((number, value)))
            }
        }
    }
}

/// By value and apart, so that the loops around [`Scan::next`] keep all they have in registers.
#[cold]
#[inline(never)]
fn field_of_any_form(rest: &[u8]) -> Result<Field<'_>, Malformed> {
    Fields::of(rest).next()?.ok_or(Malformed::Truncated)
}

/// The key of a `KeyValue`, and its value for [`Attribute::value`].
#[derive(Debug, Clone, Copy)]
pub struct Attribute<'a> {
    pub key: &'a [u8],
    form: Form<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Form<'a> {
    /// Key, then value, then nothing: the `KeyValue` and, in it, the `AnyValue`.
    Usual(&'a [u8], &'a [u8]),
    Any(Scalar<'a>),
}

impl<'a> Attribute<'a> {
    #[inline(always)]
    pub fn read(key_value: &'a [u8]) -> Result<Attribute<'a>, Malformed> {
        if let Some((key, value)) = otlp::short_key_value(key_value) {
            return Ok(Attribute { key, form: Form::Usual(key_value, value) });
        }
        let (key, value) = whole(key_value)?;
        Ok(Attribute { key, form: Form::Any(value) })
    }

    #[inline(always)]
    pub fn value(&self) -> Result<Scalar<'a>, Malformed> {
        if let Form::Usual(_, value) = self.form
            && let Some(text) = otlp::short_text(value)
        {
            return Ok(Scalar::Text(text));
        }
        match self.form {
            // Ports and statuses.
            Form::Usual(_, [0x18, low, high]) if *low >= 0x80 && *high < 0x80 => {
                Ok(Scalar::Int(i64::from(low & 0x7f) | i64::from(*high) << 7))
            }
            Form::Usual(key_value, _) => Ok(whole(key_value)?.1),
            Form::Any(value) => Ok(value),
        }
    }
}

/// Reads a `KeyValue` of any form.
#[inline(never)]
fn whole(key_value: &[u8]) -> Result<(&[u8], Scalar<'_>), Malformed> {
    let value = Value::Bytes(key_value);
    otlp::attribute(&Field { number: 0, value, start: 0, after_tag: 0, content: 0, end: 0 })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn by_fields(message: &[u8]) -> Result<Vec<(u32, Value<'_>)>, Malformed> {
        let mut fields = Fields::of(message);
        let mut all = Vec::new();
        while let Some(field) = fields.next()? {
            all.push((field.number, field.value));
        }
        Ok(all)
    }

    fn by_scan(message: &[u8]) -> Result<Vec<(u32, Value<'_>)>, Malformed> {
        let mut scan = Scan::of(message);
        let mut all = Vec::new();
        while let Some(field) = scan.next()? {
            all.push(field);
        }
        Ok(all)
    }

    fn attribute(key_value: &[u8]) -> Result<(&[u8], Scalar<'_>), Malformed> {
        let attribute = Attribute::read(key_value)?;
        Ok((attribute.key, attribute.value()?))
    }

    /// Bytes that are often tags and short lengths, so that many are well-formed for a while.
    fn message() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![
            Just(0x0a),
            Just(0x12),
            Just(0x18),
            Just(0x39),
            Just(0x4a),
            Just(0x80),
            0u8..8,
            any::<u8>()
        ];
        proptest::collection::vec(byte, 0..40)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn any_bytes_read_as_the_wire_walk_reads_them(message in message()) {
            prop_assert_eq!(by_scan(&message), by_fields(&message));
        }

        #[test]
        fn any_attribute_reads_as_the_wire_walk_reads_it(message in message()) {
            match whole(&message) {
                Ok(want) => prop_assert_eq!(attribute(&message), Ok(want)),
                // A key that nobody asks for is not opened, so its value may be wrong unseen.
                Err(_) => drop(attribute(&message)),
            }
        }

        #[test]
        fn lengths_of_one_two_and_three_bytes_are_read(length in 0usize..20_000) {
            let mut message = Vec::new();
            spanmill_proto::wire::put_bytes(&mut message, 9, &vec![7; length]);
            prop_assert_eq!(by_scan(&message), by_fields(&message));
        }
    }
}
