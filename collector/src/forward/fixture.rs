//! A record for tests.

use bytes::Bytes;

use crate::journal::{Position, Record};
use crate::mask::MaskedBatch;

pub fn record(position: u64, bytes: Bytes, spans: u32) -> Record {
    Record {
        position: Position(position),
        next: Position(position + 1),
        spans_before: position,
        batch: MaskedBatch::restored(bytes, spans, 0, 0),
    }
}
