//! A forward-only reader and writer of the protobuf wire form, after the encoding guide of protobuf.dev.
//!
//! A reader borrows its input and knows where it stands in the whole message, so that a caller can name the
//! exact bytes of a field, cut them out or replace them. Nothing is allocated. What prost rejects as
//! malformed is rejected here too; the one difference is that text is bytes and is not checked to be UTF-8.

/// Deepest nesting that any walk of ours enters. OTLP itself needs 6 levels; the rest is nested values.
pub const DEPTH_MAX: u32 = 32;

/// A message that is not protobuf, or not the message it is said to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("the message ends in the middle of a field")]
    Truncated,
    #[error("a varint is longer than ten bytes")]
    VarintTooLong,
    #[error("field number 0 or above 2^29-1")]
    FieldNumber,
    #[error("wire type {0} does not exist")]
    WireType(u8),
    #[error("field {0} has another wire type than its declaration")]
    UnexpectedWireType(u32),
    #[error("messages are nested deeper than {DEPTH_MAX} levels")]
    TooDeep,
    #[error("a group ends that did not begin, or never ends")]
    Group,
}

/// The value of one field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    /// Text, bytes or a sub-message.
    Bytes(&'a [u8]),
    /// A group: never part of OTLP, so only skipped.
    Group,
}

/// One field and where it stands: `start..end` are its bytes with tag and length, `content` begins the value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Field<'a> {
    pub number: u32,
    pub value: Value<'a>,
    /// Offset of the tag.
    pub start: usize,
    /// Offset of the first byte after the tag; for `Bytes` the length varint stands here.
    pub after_tag: usize,
    /// Offset of the first byte of the value.
    pub content: usize,
    /// Offset of the first byte after the field.
    pub end: usize,
}

impl<'a> Field<'a> {
    pub fn bytes(&self) -> Result<&'a [u8], Malformed> {
        match self.value {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(Malformed::UnexpectedWireType(self.number)),
        }
    }

    /// A sub-message: its fields, with offsets in the same whole message.
    pub fn message(&self) -> Result<Fields<'a>, Malformed> {
        Ok(Fields { bytes: self.bytes()?, at: 0, base: self.content })
    }

    pub fn varint(&self) -> Result<u64, Malformed> {
        match self.value {
            Value::Varint(value) => Ok(value),
            _ => Err(Malformed::UnexpectedWireType(self.number)),
        }
    }

    pub fn fixed64(&self) -> Result<u64, Malformed> {
        match self.value {
            Value::Fixed64(value) => Ok(value),
            _ => Err(Malformed::UnexpectedWireType(self.number)),
        }
    }

    pub fn fixed32(&self) -> Result<u32, Malformed> {
        match self.value {
            Value::Fixed32(value) => Ok(value),
            _ => Err(Malformed::UnexpectedWireType(self.number)),
        }
    }
}

/// The fields of one message, in the order of the wire.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Where `bytes` begins in the whole message.
    base: usize,
}

impl<'a> Fields<'a> {
    /// The fields of a whole message.
    pub fn of(message: &'a [u8]) -> Self {
        Fields { bytes: message, at: 0, base: 0 }
    }

    /// The fields of a part of a message that begins at offset `base` of the whole.
    pub fn part(bytes: &'a [u8], base: usize) -> Self {
        Fields { bytes, at: 0, base }
    }

    /// The next field, or `None` at the end of the message.
    // Always inlined: a field that is passed in registers costs a third of one that goes through memory.
    #[inline(always)]
    #[allow(clippy::should_implement_trait)] // an Iterator of Results would stop nobody from reading past an error
    pub fn next(&mut self) -> Result<Option<Field<'a>>, Malformed> {
        if self.at == self.bytes.len() {
            return Ok(None);
        }
        let start = self.at;
        let (number, wire_type) = self.tag()?;
        let after_tag = self.at;
        let mut content = after_tag;
        let value = match wire_type {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| Malformed::Truncated)?;
                content = self.at;
                Value::Bytes(self.take(length)?)
            }
            3 => {
                self.skip_group(number)?;
                Value::Group
            }
            4 => return Err(Malformed::Group),
            5 => Value::Fixed32(u32::from_le_bytes(self.array()?)),
            other => return Err(Malformed::WireType(other)),
        };
        Ok(Some(Field {
            number,
            value,
            start: self.base + start,
            after_tag: self.base + after_tag,
            content: self.base + content,
            end: self.base + self.at,
        }))
    }

    #[inline(always)]
    fn tag(&mut self) -> Result<(u32, u8), Malformed> {
        let tag = self.varint()?;
        // A tag is a u32 on the wire: number in 29 bits, type in 3.
        let tag = u32::try_from(tag).map_err(|_| Malformed::FieldNumber)?;
        match tag >> 3 {
            0 => Err(Malformed::FieldNumber),
            number => Ok((number, (tag & 7) as u8)),
        }
    }

    #[inline(always)]
    fn varint(&mut self) -> Result<u64, Malformed> {
        match self.bytes.get(self.at) {
            Some(&byte) if byte < 0x80 => {
                self.at += 1;
                Ok(u64::from(byte))
            }
            Some(_) => self.long_varint(),
            None => Err(Malformed::Truncated),
        }
    }

    fn long_varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0u64;
        for (i, &byte) in self.bytes[self.at..].iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * i);
            if byte < 0x80 {
                // The tenth byte holds one bit of a u64; more would be lost without a word.
                if i == 9 && byte > 1 {
                    return Err(Malformed::VarintTooLong);
                }
                self.at += i + 1;
                return Ok(value);
            }
        }
        Err(if self.bytes.len() - self.at >= 10 { Malformed::VarintTooLong } else { Malformed::Truncated })
    }

    #[inline(always)]
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let end = self.at.checked_add(length).ok_or(Malformed::Truncated)?;
        let taken = self.bytes.get(self.at..end).ok_or(Malformed::Truncated)?;
        self.at = end;
        Ok(taken)
    }

    #[inline(always)]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let taken = self.take(N)?;
        Ok(taken.try_into().expect("take returned N bytes"))
    }

    #[cold]
    fn skip_group(&mut self, number: u32) -> Result<(), Malformed> {
        // A stack of open groups instead of recursion: the input decides how deep it goes.
        let mut open = [0u32; DEPTH_MAX as usize];
        open[0] = number;
        let mut depth = 1;
        while depth > 0 {
            let (number, wire_type) = match self.tag() {
                Err(Malformed::Truncated) => return Err(Malformed::Group),
                tag => tag?,
            };
            match wire_type {
                0 => drop(self.varint()?),
                1 => drop(self.take(8)?),
                2 => {
                    let length = usize::try_from(self.varint()?).map_err(|_| Malformed::Truncated)?;
                    self.take(length)?;
                }
                3 => {
                    *open.get_mut(depth).ok_or(Malformed::TooDeep)? = number;
                    depth += 1;
                }
                4 if open[depth - 1] == number => depth -= 1,
                4 => return Err(Malformed::Group),
                5 => drop(self.take(4)?),
                other => return Err(Malformed::WireType(other)),
            }
        }
        Ok(())
    }
}

/// Bytes that `value` takes as a minimal varint.
#[inline]
pub const fn varint_len(value: u64) -> usize {
    // 1 + floor(bits-1 / 7), without a division by a variable.
    ((63 - (value | 1).leading_zeros() as usize) * 9 + 73) / 64
}

/// Appends `value` as a minimal varint.
#[inline]
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a tag: field `number` with wire type `wire_type`.
#[inline]
pub fn put_tag(out: &mut Vec<u8>, number: u32, wire_type: u8) {
    put_varint(out, u64::from(number) << 3 | u64::from(wire_type));
}

/// Appends field `number` as text, bytes or a finished sub-message.
#[inline]
pub fn put_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_tag(out, number, 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

#[inline]
pub fn put_uint(out: &mut Vec<u8>, number: u32, value: u64) {
    put_tag(out, number, 0);
    put_varint(out, value);
}

#[inline]
pub fn put_fixed64(out: &mut Vec<u8>, number: u32, value: u64) {
    put_tag(out, number, 1);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Opens a sub-message whose length is not known yet; [`close`] writes it in.
///
/// One byte is reserved, and the content is moved on when the length needs more, so the result is minimal.
#[inline]
pub fn open(out: &mut Vec<u8>, number: u32) -> usize {
    put_tag(out, number, 2);
    let mark = out.len();
    out.push(0);
    mark
}

/// Closes the sub-message that [`open`] began at `mark`.
#[inline]
pub fn close(out: &mut Vec<u8>, mark: usize) {
    let length = out.len() - mark - 1;
    let width = varint_len(length as u64);
    if width > 1 {
        let end = out.len();
        out.resize(end + width - 1, 0);
        out.copy_within(mark + 1..end, mark + width);
    }
    let mut rest = length;
    for byte in &mut out[mark..mark + width] {
        *byte = rest as u8 | 0x80;
        rest >>= 7;
    }
    out[mark + width - 1] &= 0x7f;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varint_len_is_the_number_of_bytes_written() {
        for shift in 0..64 {
            for value in [1u64 << shift, (1u64 << shift) - 1, (1u64 << shift) | 1] {
                let mut out = Vec::new();
                put_varint(&mut out, value);
                assert_eq!(out.len(), varint_len(value), "{value}");
                let mut fields = Fields::of(&out);
                assert_eq!(fields.varint(), Ok(value));
            }
        }
        assert_eq!(varint_len(u64::MAX), 10);
    }

    #[test]
    fn a_closed_message_has_a_minimal_length_whatever_its_size() {
        for size in [0usize, 1, 127, 128, 16_383, 16_384, 3_000_000] {
            let mut out = Vec::new();
            let mark = open(&mut out, 3);
            out.extend(std::iter::repeat_n(7u8, size));
            close(&mut out, mark);
            let mut expected = Vec::new();
            put_bytes(&mut expected, 3, &vec![7u8; size]);
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn offsets_name_the_bytes_of_a_field() {
        let mut out = Vec::new();
        put_uint(&mut out, 1, 300);
        put_bytes(&mut out, 2, b"hello");
        let mut fields = Fields::of(&out);
        let first = fields.next().unwrap().unwrap();
        assert_eq!((first.start, first.end, first.varint()), (0, 3, Ok(300)));
        let second = fields.next().unwrap().unwrap();
        assert_eq!((second.start, second.after_tag, second.content, second.end), (3, 4, 5, 10));
        assert_eq!(second.bytes(), Ok(&b"hello"[..]));
        assert_eq!(fields.next(), Ok(None));
    }

    #[test]
    fn what_is_not_protobuf_is_refused() {
        let check = |input: &[u8], want: Malformed| {
            let mut fields = Fields::of(input);
            let error = loop {
                match fields.next() {
                    Ok(Some(_)) => {}
                    Ok(None) => panic!("accepted {input:?}"),
                    Err(error) => break error,
                }
            };
            assert_eq!(error, want, "{input:?}");
        };
        check(&[0x0a], Malformed::Truncated);
        check(&[0x0a, 5, 1], Malformed::Truncated);
        check(&[0x08, 0x80], Malformed::Truncated);
        check(&[0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02], Malformed::VarintTooLong);
        check(&[0x00, 0x00], Malformed::FieldNumber);
        check(&[0x0f], Malformed::WireType(7));
        check(&[0x0c], Malformed::Group);
        check(&[0x0b, 0x08, 0x01], Malformed::Group);
        check(&[0x0b; 64], Malformed::TooDeep);
    }
}
