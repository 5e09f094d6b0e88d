//! What goes into one request: the bytes of several records, one after the other, which is a valid request too.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use spanmill_proto::otlp;

use super::name::Name;
use crate::journal::{Position, Record};

/// Records in one request. Bounds its frames, and the steps that it takes to find the one bad record in it.
const PARTS_MAX: usize = 1024;

/// Smaller parts are copied into one piece: an HTTP/2 frame costs more than the copy.
const COPY_BELOW: usize = 4096;

/// A record, or a piece of one that is too large for one request.
#[derive(Debug, Clone)]
pub struct Part {
    /// Its record's.
    pub position: Position,
    /// The stretch of the log that it stands for, see [`Name`].
    begin: u64,
    end: u64,
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

    /// `instance` names the log.
    pub fn name(&self, instance: u128) -> Name {
        let end = self.parts[self.parts.len() - 1].end;
        Name { instance, begin: self.first().begin, end }
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

    /// The request's bytes, in pieces that share the records' memory; `small` may hold what comes before them.
    pub fn pieces(&self, mut small: BytesMut) -> Vec<Bytes> {
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
    // It was well-formed when it was masked. Should it not be, the destination has the last word.
    let Ok(pieces) = otlp::cut(&part.bytes, limit) else { return vec![part.clone()] };
    let mut begin = part.begin;
    let mut parts: Vec<Part> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let end = begin + u64::from(piece.spans);
        parts.push(Part { begin, end, bytes: piece.bytes.into(), spans: piece.spans, ..part.clone() });
        begin = end;
    }
    if let Some(last) = parts.last_mut() {
        last.end = part.end;
    }
    parts
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
            begin: record.position.0,
            end: record.next.0,
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

    /// The oldest records, up to `limit` bytes together, but at least one. They lie one after the other in the log:
    /// where something is missing between them, the request ends.
    pub fn take(&mut self, limit: usize) -> Option<Batch> {
        let mut bytes = 0;
        let mut due = self.first()?.begin;
        let fits = |part: &&Part| {
            bytes += part.bytes.len();
            let follows = part.begin == due;
            due = part.end;
            bytes <= limit && follows
        };
        let count = self.parts.iter().take(PARTS_MAX).take_while(fits).count();
        let parts: Vec<Part> = self.parts.drain(..count.max(1).min(self.parts.len())).collect();
        self.bytes -= parts.iter().map(|part| part.bytes.len()).sum::<usize>();
        (!parts.is_empty()).then_some(Batch { parts, is_duplicate: false })
    }
}

#[cfg(test)]
mod tests {
    use spanmill_proto::wire;

    use super::super::fixture::record;
    use super::*;

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
    fn the_names_of_the_parts_of_a_batch_cover_what_it_covers() {
        let mut scope = Vec::new();
        (0..10).for_each(|i| wire::put_bytes(&mut scope, otlp::scope_spans::SPANS, &[i; 20]));
        let (mut resource, mut bytes) = (Vec::new(), Vec::new());
        wire::put_bytes(&mut resource, otlp::resource_spans::SCOPE_SPANS, &scope);
        wire::put_bytes(&mut bytes, otlp::request::RESOURCE_SPANS, &resource);
        let mut gather = Gather::default();
        for i in 0..3 {
            let next = Position(1_000 * (i + 1));
            gather.push(&Record { next, ..record(1_000 * i, bytes.clone().into(), 10) }, 1 << 20);
        }
        let mut open = vec![gather.take(1 << 20).unwrap()];
        assert_eq!(open[0].name(7).to_string(), "00000000000000000000000000000007/0-3000");
        let mut single = Vec::new();
        while let Some(batch) = open.pop() {
            match batch.shrink() {
                Ok(smaller) => open.extend(smaller),
                Err(batch) => single.push((batch.name(7).begin, batch.name(7).end)),
            }
        }
        single.sort_unstable();
        assert_eq!(single.len(), 30);
        assert_eq!((single[0], single[9], single[10]), ((0, 1), (9, 1_000), (1_000, 1_001)));
        assert!(single.windows(2).all(|two| two[0].1 == two[1].0), "{single:?}");
    }

    #[test]
    fn a_request_ends_where_the_log_has_a_gap() {
        let mut gather = Gather::default();
        for at in [0, 1, 5, 6] {
            gather.push(&record(at, vec![1; 9].into(), 1), 1000);
        }
        let names = std::iter::from_fn(|| gather.take(1000)).map(|batch| batch.name(0));
        assert_eq!(names.map(|name| (name.begin, name.end)).collect::<Vec<_>>(), [(0, 2), (5, 7)]);
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
