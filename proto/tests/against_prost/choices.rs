//! Builds messages out of a string of bytes that says each decision, so that proptest can shrink a failure and
//! a fuzzer can steer.

use spanmill_proto::wire;

use super::schema::{Kind, REQUEST, SPAN, Schema};

/// Values nested in values end here: far below the limits of either reader.
const VALUE_DEPTH_MAX: u32 = 24;

/// Decisions; when the bytes are used up every answer is 0.
pub struct Choices<'a> {
    decisions: &'a [u8],
    /// Text that the message should hold here and there.
    planted: &'a [&'a str],
    /// Whether parts of the message may be malformed.
    may_be_wrong: bool,
}

impl<'a> Choices<'a> {
    /// With `planted` in its text. If there is any, spans have valid ids too, so that none is cut out.
    pub fn planting(planted: &'a [&'a str], decisions: &'a [u8]) -> Choices<'a> {
        let mut choices = Choices { decisions, planted, may_be_wrong: false };
        choices.may_be_wrong = choices.once_in(4);
        choices
    }

    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.decisions.split_first() else { return 0 };
        self.decisions = rest;
        *first
    }

    pub fn below(&mut self, n: usize) -> usize {
        let wide = usize::from(self.byte());
        let wide = if n > 256 { wide << 8 | usize::from(self.byte()) } else { wide };
        wide % n
    }

    /// True about once in `n` times, never when the bytes are used up.
    fn once_in(&mut self, n: u8) -> bool {
        self.byte() % n == n - 1
    }

    /// A flaw about once in `n` places of a message that may have some. Decided for the message as a whole, because
    /// of long ones with a small chance everywhere hardly any would be right.
    fn is_wrong(&mut self, n: u8) -> bool {
        self.may_be_wrong && self.once_in(n)
    }

    fn number(&mut self) -> u64 {
        let width = self.below(9);
        (0..width).fold(0, |number, _| number << 8 | u64::from(self.byte()))
    }

    fn bytes(&mut self) -> Vec<u8> {
        let length = self.below(20);
        (0..length).map(|_| self.byte()).collect()
    }

    fn text(&mut self) -> Vec<u8> {
        if !self.planted.is_empty() && self.once_in(2) {
            let planted = self.planted;
            return planted[self.below(planted.len())].into();
        }
        let anything = self.is_wrong(64);
        let mut text = self.bytes();
        if !anything {
            text.iter_mut().for_each(|byte| *byte = b'!' + *byte % 90);
        }
        text
    }

    /// A varint, sometimes longer than it needs to be.
    fn put_varint(&mut self, out: &mut Vec<u8>, value: u64) {
        wire::put_varint(out, value);
        if self.once_in(16) {
            let width = wire::varint_len(value);
            let padding = self.below(11 - width);
            if padding > 0 {
                *out.last_mut().expect("a varint was just written") |= 0x80;
                out.extend(std::iter::repeat_n(0x80, padding - 1));
                out.push(0);
            }
        }
    }

    fn put_tag(&mut self, out: &mut Vec<u8>, number: u32, wire_type: u8) {
        self.put_varint(out, u64::from(number) << 3 | u64::from(wire_type));
    }

    fn put_bytes(&mut self, out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
        self.put_tag(out, number, 2);
        self.put_varint(out, bytes.len() as u64);
        out.extend_from_slice(bytes);
    }

    /// A field of any number and any wire type, groups included: unknown, or known with a wrong type.
    fn put_any_field(&mut self, out: &mut Vec<u8>, number: u32, depth: u32) {
        match self.below(5) {
            0 => {
                self.put_tag(out, number, 0);
                let value = self.number();
                self.put_varint(out, value);
            }
            1 => wire::put_fixed64(out, number, self.number()),
            2 => {
                let bytes = self.bytes();
                self.put_bytes(out, number, &bytes);
            }
            3 if depth < 6 => {
                self.put_tag(out, number, 3);
                for _ in 0..self.below(3) {
                    let inner = self.unknown_number();
                    self.put_any_field(out, inner, depth + 1);
                }
                let end = if self.is_wrong(32) { number + 1 } else { number };
                self.put_tag(out, end, 4);
            }
            _ => {
                wire::put_tag(out, number, 5);
                out.extend_from_slice(&(self.number() as u32).to_le_bytes());
            }
        }
    }

    fn unknown_number(&mut self) -> u32 {
        [17, 100, 4_000, 70_000, (1 << 29) - 1][self.below(5)]
    }
}

/// A request with its fields in any order, repeated, split, mixed with unknown ones, now and then malformed.
pub fn request(choices: &mut Choices<'_>) -> Vec<u8> {
    message(&REQUEST, choices, 0)
}

fn message(schema: &Schema, choices: &mut Choices<'_>, depth: u32) -> Vec<u8> {
    let mut out = Vec::new();
    // Wide down to the attributes of a span; values inside values get narrow, or the first would use up all.
    let fields = choices.below(match depth {
        0 => 5,
        1..=5 => 10,
        _ => 3,
    });
    for _ in 0..fields {
        if choices.once_in(20) {
            let number = choices.unknown_number();
            choices.put_any_field(&mut out, number, 0);
            continue;
        }
        // Above the spans every second field is the one that leads down to them.
        let down = (depth < 3).then(|| schema.field(depth.min(1) + 1)).flatten();
        let any = &schema.fields[choices.below(schema.fields.len())];
        let field = down.filter(|_| choices.once_in(2)).unwrap_or(any);
        if choices.is_wrong(128) {
            choices.put_any_field(&mut out, field.number, 0);
            continue;
        }
        match field.kind {
            Kind::Message(_) if depth >= VALUE_DEPTH_MAX => {}
            Kind::Message(inner) => {
                let inner = message(inner, choices, depth + 1);
                choices.put_bytes(&mut out, field.number, &inner);
            }
            Kind::Text => {
                let text = choices.text();
                choices.put_bytes(&mut out, field.number, &text);
            }
            Kind::Bytes => {
                let bytes = choices.bytes();
                choices.put_bytes(&mut out, field.number, &bytes);
            }
            Kind::Bool | Kind::Int32 | Kind::Uint32 | Kind::Int64 => {
                choices.put_tag(&mut out, field.number, 0);
                let value = choices.number();
                choices.put_varint(&mut out, value);
            }
            Kind::Fixed32 => {
                choices.put_tag(&mut out, field.number, 5);
                out.extend_from_slice(&(choices.number() as u32).to_le_bytes());
            }
            Kind::Fixed64 => {
                choices.put_tag(&mut out, field.number, 1);
                out.extend_from_slice(&choices.number().to_le_bytes());
            }
        }
    }
    if !choices.planted.is_empty() && std::ptr::eq(schema, &SPAN) {
        wire::put_bytes(&mut out, 1, b"a trace's 16 id.");
        wire::put_bytes(&mut out, 2, b"an id: 8");
    }
    out
}
