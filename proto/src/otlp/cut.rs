//! Cutting a request at span boundaries, for receivers that take messages up to a limit.

use super::{request, resource_spans, scope_spans};
use crate::wire::{self, Field, Fields, Malformed};

/// A part of a request that is a valid request itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    pub bytes: Vec<u8>,
    pub spans: u32,
    /// True where the piece exceeds the limit and nothing smaller can be made of it: it is a single span, or
    /// spans under a resource or scope that is too long to be repeated.
    pub oversized: bool,
}

/// A resource or scope longer than one part in so many of the limit is not repeated: its spans stay together.
/// Otherwise 10 MiB of spans of a few bytes each, under a resource just short of the limit, would become
/// terabytes. With 4, all pieces together are at most about four times as long as the message.
const ENVELOPE_SHARE: usize = 4;

/// Cuts `message` into requests of at most `limit` bytes each, whole spans in their order.
///
/// Each piece carries the resource, the scope and the unknown fields around its spans again. What exceeds the
/// limit nevertheless is marked `oversized`.
pub fn cut(message: &[u8], limit: usize) -> Result<Vec<Piece>, Malformed> {
    let mut pieces = Pieces { limit, ..Pieces::default() };
    let mut fields = Fields::of(message);
    while let Some(field) = fields.next()? {
        if field.number == request::RESOURCE_SPANS {
            pieces.resource_spans(message, &field)?;
        }
    }
    pieces.close();
    Ok(pieces.done)
}

/// A message taken apart: the repeated field that is counted on, and everything else.
struct Parts<'a> {
    items: Vec<Field<'a>>,
    /// All other fields, copied.
    envelope: Vec<u8>,
}

fn take_apart<'a>(message: &[u8], whole: &Field<'a>, number: u32) -> Result<Parts<'a>, Malformed> {
    let mut parts = Parts { items: Vec::new(), envelope: Vec::new() };
    let mut fields = whole.message()?;
    while let Some(field) = fields.next()? {
        if field.number == number {
            field.bytes()?;
            parts.items.push(field);
        } else {
            parts.envelope.extend_from_slice(&message[field.start..field.end]);
        }
    }
    Ok(parts)
}

/// The piece under construction, from the outside in, and those that are done.
#[derive(Default)]
struct Pieces {
    limit: usize,
    done: Vec<Piece>,
    /// Finished `ResourceSpans` fields.
    open: Vec<u8>,
    /// Finished `ScopeSpans` fields of the resource in work.
    scopes: Vec<u8>,
    /// Spans of the scope in work.
    spans: Vec<u8>,
    /// Spans in all three.
    count: u32,
}

impl Pieces {
    fn resource_spans(&mut self, message: &[u8], whole: &Field<'_>) -> Result<(), Malformed> {
        let resource = take_apart(message, whole, resource_spans::SCOPE_SPANS)?;
        let scopes = resource
            .items
            .iter()
            .map(|scope| take_apart(message, scope, scope_spans::SPANS))
            .collect::<Result<Vec<_>, _>>()?;
        let count: usize = scopes.iter().map(|scope| scope.items.len()).sum();
        let bytes = whole.bytes()?;
        if count == 0 {
            return Ok(());
        }
        let fits = self.open.len() + field_len(bytes.len()) <= self.limit;
        if fits || self.is_too_long_to_repeat(&resource.envelope) {
            if !fits {
                self.close();
            }
            wire::put_bytes(&mut self.open, request::RESOURCE_SPANS, bytes);
            self.count += count as u32;
            return Ok(());
        }
        for (scope, field) in scopes.iter().zip(&resource.items) {
            self.scope_spans(&resource.envelope, scope, field.bytes()?)?;
        }
        self.end_resource(&resource.envelope);
        Ok(())
    }

    fn scope_spans(&mut self, resource: &[u8], scope: &Parts<'_>, bytes: &[u8]) -> Result<(), Malformed> {
        if self.is_too_long_to_repeat(&scope.envelope) {
            self.make_room(resource, &[], field_len(bytes.len()));
            wire::put_bytes(&mut self.scopes, resource_spans::SCOPE_SPANS, bytes);
            self.count += scope.items.len() as u32;
            return Ok(());
        }
        for span in &scope.items {
            let span = span.bytes()?;
            self.make_room(resource, &scope.envelope, field_len(span.len()));
            wire::put_bytes(&mut self.spans, scope_spans::SPANS, span);
            self.count += 1;
        }
        self.end_scope(&scope.envelope);
        Ok(())
    }

    fn is_too_long_to_repeat(&self, envelope: &[u8]) -> bool {
        envelope.len() > self.limit / ENVELOPE_SHARE
    }

    /// Closes the piece when `more` bytes would not fit into the scope in work, unless the piece is empty.
    fn make_room(&mut self, resource: &[u8], scope: &[u8], more: usize) {
        let scope_spans = field_len(scope.len() + self.spans.len() + more);
        let resource_spans = field_len(resource.len() + self.scopes.len() + scope_spans);
        if self.open.len() + resource_spans > self.limit {
            self.end_scope(scope);
            self.end_resource(resource);
            self.close();
        }
    }

    fn end_scope(&mut self, envelope: &[u8]) {
        if !self.spans.is_empty() {
            put_joined(&mut self.scopes, resource_spans::SCOPE_SPANS, envelope, &mut self.spans);
        }
    }

    fn end_resource(&mut self, envelope: &[u8]) {
        if !self.scopes.is_empty() {
            put_joined(&mut self.open, request::RESOURCE_SPANS, envelope, &mut self.scopes);
        }
    }

    fn close(&mut self) {
        if self.count > 0 {
            let bytes = std::mem::take(&mut self.open);
            let spans = std::mem::take(&mut self.count);
            self.done.push(Piece { oversized: bytes.len() > self.limit, bytes, spans });
        }
    }
}

/// Appends field `number` with `envelope` and `items` as its content; `items` is empty after.
fn put_joined(out: &mut Vec<u8>, number: u32, envelope: &[u8], items: &mut Vec<u8>) {
    wire::put_tag(out, number, 2);
    wire::put_varint(out, (envelope.len() + items.len()) as u64);
    out.extend_from_slice(envelope);
    out.append(items);
}

/// Bytes of a length-delimited field with a one-byte tag and `length` bytes of content.
fn field_len(length: usize) -> usize {
    1 + wire::varint_len(length as u64) + length
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::count_spans;

    /// A request of `scopes` scopes under one resource whose envelope has `envelope` bytes, `spans` in each.
    fn request_of(envelope: usize, scopes: usize, spans: usize) -> Vec<u8> {
        let mut scope = Vec::new();
        (0..spans).for_each(|_| wire::put_bytes(&mut scope, scope_spans::SPANS, &[0x2a, 1, b's']));
        let mut resource = Vec::new();
        wire::put_bytes(&mut resource, resource_spans::RESOURCE, &vec![0; envelope]);
        (0..scopes).for_each(|_| wire::put_bytes(&mut resource, resource_spans::SCOPE_SPANS, &scope));
        let mut request = Vec::new();
        wire::put_bytes(&mut request, request::RESOURCE_SPANS, &resource);
        request
    }

    fn total(pieces: &[Piece]) -> usize {
        pieces.iter().map(|piece| piece.bytes.len()).sum()
    }

    #[test]
    fn what_fits_stays_as_it_is() {
        let message = request_of(100, 3, 5);
        let whole = Piece { bytes: message.clone(), spans: 15, oversized: false };
        assert_eq!(cut(&message, message.len()), Ok(vec![whole]));
    }

    #[test]
    fn pieces_are_well_filled_and_never_above_the_limit() {
        let message = request_of(20, 40, 50);
        let pieces = cut(&message, 1_000).unwrap();
        assert!(pieces.iter().all(|piece| piece.bytes.len() <= 1_000 && !piece.oversized));
        assert!(pieces[..pieces.len() - 1].iter().all(|piece| piece.bytes.len() > 950));
        assert_eq!(pieces.iter().map(|piece| piece.spans).sum::<u32>(), 2_000);
    }

    #[test]
    fn many_scopes_share_their_resource() {
        let message = request_of(10_000, 20_000, 1);
        assert!(total(&cut(&message, 50_000).unwrap()) < 2 * message.len());
    }

    #[test]
    fn a_resource_too_long_to_be_repeated_keeps_its_spans_together() {
        let message = request_of(900, 2, 1_000);
        let pieces = cut(&message, 1_000).unwrap();
        assert_eq!(pieces, [Piece { bytes: message, spans: 2_000, oversized: true }]);
    }

    #[test]
    fn a_span_longer_than_the_limit_travels_alone() {
        let mut message = request_of(0, 1, 3);
        message.extend(request_of(0, 1, 1));
        for piece in cut(&message, 8).unwrap() {
            assert_eq!((piece.spans, piece.oversized), (1, true));
            assert_eq!(count_spans(&piece.bytes), Ok(1));
        }
    }
}
