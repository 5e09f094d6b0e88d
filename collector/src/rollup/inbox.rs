//! Batches that go into the figures without being in the journal: it was full, or could not be written.
//!
//! So the verdicts go on when nothing can be kept. Bounded, because nobody else holds these bytes back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::mask::MaskedBatch;

/// Bytes that may wait. The thread comes by every 25 ms, so this is enough for 300 MB/s; what is more is not rolled
/// up, and counted.
const BYTES_MAX: usize = 8 << 20;

#[derive(Debug, Default)]
pub struct Inbox {
    waiting: Mutex<Waiting>,
    taken_spans: AtomicU64,
    overflowed_spans: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiting {
    batches: Vec<MaskedBatch>,
    bytes: usize,
}

impl Inbox {
    /// False when there was no room.
    pub fn offer(&self, batch: &MaskedBatch) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let is_taken = waiting.batches.is_empty() || waiting.bytes + batch.bytes().len() <= BYTES_MAX;
        if is_taken {
            waiting.bytes += batch.bytes().len();
            waiting.batches.push(batch.clone());
        }
        let counter = if is_taken { &self.taken_spans } else { &self.overflowed_spans };
        counter.fetch_add(u64::from(batch.spans()), Ordering::Relaxed);
        is_taken
    }

    /// All that waits.
    pub fn take(&self) -> Vec<MaskedBatch> {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner)).batches
    }

    /// Spans that were taken, and spans for which there was no room.
    pub fn spans(&self) -> (u64, u64) {
        (self.taken_spans.load(Ordering::Relaxed), self.overflowed_spans.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_room_is_counted_and_a_batch_larger_than_the_room_travels_alone() {
        let inbox = Inbox::default();
        let batch = |bytes| MaskedBatch::restored(vec![0; bytes].into(), 2, 0, 0);
        assert!(inbox.offer(&batch(BYTES_MAX + 1)));
        assert!(!inbox.offer(&batch(1)));
        assert_eq!(inbox.take().len(), 1);
        assert!(inbox.offer(&batch(BYTES_MAX / 2)) && inbox.offer(&batch(BYTES_MAX / 2)));
        assert!(!inbox.offer(&batch(1)));
        assert_eq!((inbox.take().len(), inbox.take().len()), (2, 0));
        assert_eq!(inbox.spans(), (6, 4));
    }
}
