//! Cutting a request at span boundaries, for receivers that take messages up to a limit.

use super::{request, resource_spans, scope_spans};
use crate::wire::{self, Fields, Malformed};

/// A part of a request that is a valid request itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    pub bytes: Vec<u8>,
    pub spans: u32,
    /// True where a single span alone is larger than the limit; nothing smaller can be made of it.
    pub oversized: bool,
}

/// Cuts `message` into requests of at most `limit` bytes each, whole spans in their order.
///
/// Each piece carries the resource, the scope and the unknown fields around its spans again. A piece that
/// holds one span and still exceeds the limit is marked `oversized`.
pub fn cut(message: &[u8], limit: usize) -> Result<Vec<Piece>, Malformed> {
    let mut pieces = Pieces { limit, done: Vec::new(), open: Vec::new(), spans: 0 };
    let mut fields = Fields::of(message);
    while let Some(field) = fields.next()? {
        if field.number != request::RESOURCE_SPANS {
            continue;
        }
        let (envelope, scopes) = split(message, field.message()?, resource_spans::SCOPE_SPANS)?;
        for scope in scopes {
            let scope_fields = Fields::part(&message[scope.0..scope.1], scope.0);
            let (scope_envelope, spans) = split(message, scope_fields, scope_spans::SPANS)?;
            pieces.push(message, &envelope, &scope_envelope, &spans);
        }
    }
    Ok(pieces.finish())
}

/// Separates the fields numbered `number` (their contents, as ranges of `message`) from all others (copied).
fn split(
    message: &[u8],
    mut fields: Fields<'_>,
    number: u32,
) -> Result<(Vec<u8>, Vec<(usize, usize)>), Malformed> {
    let mut rest = Vec::new();
    let mut found = Vec::new();
    while let Some(field) = fields.next()? {
        if field.number == number {
            field.bytes()?;
            found.push((field.content, field.end));
        } else {
            rest.extend_from_slice(&message[field.start..field.end]);
        }
    }
    Ok((rest, found))
}

struct Pieces {
    limit: usize,
    done: Vec<Piece>,
    open: Vec<u8>,
    spans: u32,
}

impl Pieces {
    /// Adds the spans of one scope, as many to a piece as fit, each piece with the envelope again.
    fn push(&mut self, message: &[u8], envelope: &[u8], scope_envelope: &[u8], spans: &[(usize, usize)]) {
        let mut rest = spans;
        while !rest.is_empty() {
            let room = self.limit.saturating_sub(self.open.len());
            let mut scope_spans = scope_envelope.len();
            let mut fitting = 0;
            for (start, end) in rest {
                let longer = scope_spans + field_len(end - start);
                if field_len(field_len(longer) + envelope.len()) > room {
                    break;
                }
                scope_spans = longer;
                fitting += 1;
            }
            if fitting == 0 {
                if !self.open.is_empty() {
                    self.close();
                    continue;
                }
                // Alone and still too long: it travels as a piece of its own.
                fitting = 1;
                scope_spans += field_len(rest[0].1 - rest[0].0);
            }
            let (taken, later) = rest.split_at(fitting);
            self.write(message, envelope, scope_envelope, scope_spans, taken);
            rest = later;
        }
    }

    fn write(
        &mut self,
        message: &[u8],
        envelope: &[u8],
        scope_envelope: &[u8],
        scope_spans: usize,
        spans: &[(usize, usize)],
    ) {
        let out = &mut self.open;
        wire::put_tag(out, request::RESOURCE_SPANS, 2);
        wire::put_varint(out, (field_len(scope_spans) + envelope.len()) as u64);
        out.extend_from_slice(envelope);
        wire::put_tag(out, resource_spans::SCOPE_SPANS, 2);
        wire::put_varint(out, scope_spans as u64);
        out.extend_from_slice(scope_envelope);
        for (start, end) in spans {
            wire::put_bytes(out, self::scope_spans::SPANS, &message[*start..*end]);
        }
        self.spans += spans.len() as u32;
    }

    fn close(&mut self) {
        let bytes = std::mem::take(&mut self.open);
        let spans = std::mem::take(&mut self.spans);
        self.done.push(Piece { oversized: bytes.len() > self.limit, bytes, spans });
    }

    fn finish(mut self) -> Vec<Piece> {
        if self.spans > 0 {
            self.close();
        }
        self.done
    }
}

/// Bytes of a length-delimited field with a one-byte tag and `length` bytes of content.
fn field_len(length: usize) -> usize {
    1 + wire::varint_len(length as u64) + length
}
