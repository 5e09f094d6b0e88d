//! What goes into one request: the bytes of several records, one after the other, which is a valid request too.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use spanmill_proto::{grpc, otlp};

use crate::journal::{Position, Record};

/// Records in one request. Bounds its frames, and the steps that it takes to find the one bad record in it.
const PARTS_MAX: usize = 1024;

/// Smaller parts are copied into one piece: an HTTP/2 frame costs more than the copy.
const COPY_BELOW: usize = 4096;

/// A record, or a piece of one that is too large for one request.
#[derive(Debug, Clone)]
pub struct Part {
    pub position: Position,
    /// Spans in the log before its record.
    pub spans_before: u64,
    pub received_unix_ns: u64,
    pub spans: u32,
    pub hops: u8,
    pub bytes: Bytes,
}

/// One request. Never empty.
#[derive(Debug)]
pub struct Batch {
    parts: Vec<Part>,
    /// It was sent before and may have been taken.
    pub is_duplicate: bool,
}

impl Batch {
    /// Its first part, whose position names it.
    pub fn first(&self) -> &Part {
        &self.parts[0]
    }

    pub fn bytes(&self) -> usize {
        self.parts.iter().map(|part| part.bytes.len()).sum()
    }

    pub fn spans(&self) -> u64 {
        self.parts.iter().map(|part| u64::from(part.spans)).sum()
    }

    /// The longest way that one of its records has come.
    pub fn hops(&self) -> u8 {
        self.parts.iter().map(|part| part.hops).max().unwrap_or_default()
    }

    /// The request body as gRPC frames it, in pieces that share the records' memory.
    pub fn body(&self) -> Vec<Bytes> {
        let mut small = BytesMut::from(&grpc::prefix(false, self.bytes() as u32)[..]);
        let mut out = Vec::with_capacity(self.parts.len() + 1);
        for part in &self.parts {
            if part.bytes.len() < COPY_BELOW {
                small.extend_from_slice(&part.bytes);
                continue;
            }
            if !small.is_empty() {
                out.push(small.split().freeze());
            }
            out.push(part.bytes.clone());
        }
        if !small.is_empty() {
            out.push(small.freeze());
        }
        out
    }

    /// Two batches of half the records each, or the batch itself if it holds only one.
    pub fn halve(mut self) -> Result<[Batch; 2], Batch> {
        if self.parts.len() < 2 {
            return Err(self);
        }
        let second = self.parts.split_off(self.parts.len() / 2);
        let is_duplicate = self.is_duplicate;
        Ok([self, Batch { parts: second, is_duplicate }])
    }

    /// Batches of about half the size each, cut inside a record where it holds only one, or the batch itself if
    /// that is a single span.
    pub fn shrink(self) -> Result<Vec<Batch>, Batch> {
        let is_duplicate = self.is_duplicate;
        match self.halve() {
            Ok(halves) => Ok(halves.into()),
            Err(single) if single.first().spans < 2 => Err(single),
            Err(single) => {
                let pieces = cut(single.first(), single.bytes() / 2);
                Ok(pieces.into_iter().map(|part| Batch { parts: vec![part], is_duplicate }).collect())
            }
        }
    }
}

/// Cuts a part at span boundaries into pieces of at most `limit` bytes, as far as single spans allow.
fn cut(part: &Part, limit: usize) -> Vec<Part> {
    match otlp::cut(&part.bytes, limit) {
        Ok(pieces) => {
            let piece =
                |piece: otlp::Piece| Part { bytes: piece.bytes.into(), spans: piece.spans, ..part.clone() };
            pieces.into_iter().map(piece).collect()
        }
        // It was well-formed when it was masked. Should it not be, the destination has the last word.
        Err(_) => vec![part.clone()],
    }
}

/// Records that wait to become batches, in the order of the log.
#[derive(Debug, Default)]
pub struct Gather {
    parts: VecDeque<Part>,
    bytes: usize,
}

impl Gather {
    /// Adds a record; one that is larger than a request may be is cut.
    pub fn push(&mut self, record: &Record, request_max: usize) {
        let batch = &record.batch;
        if batch.spans() == 0 {
            return;
        }
        self.bytes += batch.bytes().len();
        let part = Part {
            position: record.position,
            spans_before: record.spans_before,
            received_unix_ns: batch.received_unix_ns(),
            spans: batch.spans(),
            hops: batch.hops(),
            bytes: batch.bytes().clone(),
        };
        if part.bytes.len() <= request_max {
            self.parts.push_back(part);
            return;
        }
        let pieces = cut(&part, request_max);
        self.bytes += pieces.iter().map(|piece| piece.bytes.len()).sum::<usize>() - part.bytes.len();
        self.parts.extend(pieces);
    }

    pub fn first(&self) -> Option<&Part> {
        self.parts.front()
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// There is enough for a request of `limit` bytes.
    pub fn is_full(&self, limit: usize) -> bool {
        self.bytes >= limit || self.parts.len() >= PARTS_MAX
    }

    /// The oldest records, up to `limit` bytes together, but at least one.
    pub fn take(&mut self, limit: usize) -> Option<Batch> {
        let mut bytes = 0;
        let fits = |part: &&Part| {
            bytes += part.bytes.len();
            bytes <= limit
        };
        let count = self.parts.iter().take(PARTS_MAX).take_while(fits).count();
        let parts: Vec<Part> = self.parts.drain(..count.max(1).min(self.parts.len())).collect();
        self.bytes -= parts.iter().map(|part| part.bytes.len()).sum::<usize>();
        (!parts.is_empty()).then_some(Batch { parts, is_duplicate: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::MaskedBatch;

    fn record(position: u64, bytes: Bytes, spans: u32) -> Record {
        Record {
            position: Position(position),
            next: Position(position + 1),
            spans_before: position,
            batch: MaskedBatch::restored(bytes, spans, 0, 0),
        }
    }

    #[test]
    fn the_body_is_the_prefix_and_the_records_one_after_the_other() {
        let sizes = [10, 5000, 4096, 20, 30, 9000, 1];
        let mut gather = Gather::default();
        let mut expected = Vec::new();
        for (i, size) in sizes.into_iter().enumerate() {
            expected.extend(std::iter::repeat_n(i as u8, size));
            gather.push(&record(i as u64, vec![i as u8; size].into(), 1), 1 << 20);
        }
        let batch = gather.take(1 << 20).unwrap();
        let body = batch.body().concat();
        assert_eq!(body[..5], grpc::prefix(false, expected.len() as u32));
        assert_eq!(body[5..], expected);
        assert!(gather.take(1 << 20).is_none());
    }

    #[test]
    fn batches_stay_below_the_limit_and_lose_nothing() {
        let mut gather = Gather::default();
        for i in 0..100 {
            gather.push(&record(i, vec![0; 10 + i as usize * 3].into(), 1), 1000);
        }
        let mut positions = Vec::new();
        while let Some(batch) = gather.take(400) {
            assert!(batch.bytes() <= 400);
            positions.extend(batch.parts.iter().map(|part| part.position.0));
        }
        assert_eq!(positions, (0..100).collect::<Vec<_>>());
        assert_eq!(gather.bytes(), 0);
    }

    #[test]
    fn halving_ends_with_each_record_alone() {
        let mut gather = Gather::default();
        (0..7).for_each(|i| gather.push(&record(i, vec![1; 9].into(), 1), 1000));
        let mut open = vec![gather.take(1000).unwrap()];
        let mut alone = Vec::new();
        while let Some(batch) = open.pop() {
            match batch.halve() {
                Ok(halves) => open.extend(halves),
                Err(single) => alone.push(single.first().position.0),
            }
        }
        alone.sort_unstable();
        assert_eq!(alone, (0..7).collect::<Vec<_>>());
    }
}
