//! Batches that were refused and rolled up all the same, by the hash of their bytes: their senders come back with
//! the same bytes, which then go into the journal and not once more into the figures.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use foldhash::quality::RandomState;

use crate::mask::MaskedBatch;

/// A sender gives up, or comes back, within this; the exporters of SDKs within one minute.
const KEPT: Duration = Duration::from_secs(300);

/// Hashes in one generation; there are two, so 64 Ki batches are known. Beyond it the older half is forgotten, and
/// may be counted twice: at most 200 requests a second can be refused for 5 minutes without that.
const GENERATION_MAX: usize = 32 << 10;

#[derive(Debug, Default)]
pub struct Refused {
    /// Two hashes of 64 bits, each with a key of this process: no sender can make two bodies equal.
    keys: [RandomState; 2],
    /// There is nothing to look for; saves every batch its hash while all is well.
    is_used: AtomicBool,
    known: Mutex<Known>,
}

/// When each was rolled up. Those of the older generation were last met between `KEPT` and twice that ago.
#[derive(Debug, Default)]
struct Known {
    young: HashMap<u128, u64>,
    old: HashMap<u128, u64>,
    turned_unix_ns: u64,
}

impl Refused {
    /// When a batch with these bytes was rolled up.
    pub fn rolled_up_unix_ns(&self, batch: &MaskedBatch, now_unix_ns: u64) -> Option<u64> {
        if !self.is_used.load(Ordering::Relaxed) {
            return None;
        }
        let hash = self.hash(batch);
        let mut known = self.known();
        known.age(now_unix_ns);
        let found = known.young.get(&hash).or_else(|| known.old.get(&hash)).copied();
        if let Some(at) = found {
            known.young.insert(hash, at);
        }
        self.is_used.store(!(known.young.is_empty() && known.old.is_empty()), Ordering::Relaxed);
        found
    }

    /// Remembers that it is rolled up now.
    pub fn remember(&self, batch: &MaskedBatch, now_unix_ns: u64) {
        let hash = self.hash(batch);
        let mut known = self.known();
        known.age(now_unix_ns);
        known.young.insert(hash, now_unix_ns);
        self.is_used.store(true, Ordering::Relaxed);
    }

    fn hash(&self, batch: &MaskedBatch) -> u128 {
        let [high, low] = self.keys.each_ref().map(|key| u128::from(key.hash_one(&batch.bytes()[..])));
        high << 64 | low
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn age(&mut self, now_unix_ns: u64) {
        let age = Duration::from_nanos(now_unix_ns.saturating_sub(self.turned_unix_ns));
        if age < KEPT && self.young.len() < GENERATION_MAX {
            return;
        }
        self.old = std::mem::take(&mut self.young);
        if age >= 2 * KEPT {
            self.old.clear();
        }
        self.turned_unix_ns = now_unix_ns;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE_NS: u64 = 60_000_000_000;
    const NOW: u64 = 1_795_378_503_000_000_000;

    fn batch(number: u32) -> MaskedBatch {
        MaskedBatch::restored(number.to_le_bytes().to_vec().into(), 1, 0, 0)
    }

    #[test]
    fn a_refused_batch_is_known_for_five_minutes_after_it_was_last_seen() {
        let refused = Refused::default();
        assert_eq!(refused.rolled_up_unix_ns(&batch(1), NOW), None);
        refused.remember(&batch(1), NOW);
        assert_eq!(refused.rolled_up_unix_ns(&batch(2), NOW), None);
        for minutes in [0, 4, 8, 12] {
            let now = NOW + minutes * MINUTE_NS;
            assert_eq!(refused.rolled_up_unix_ns(&batch(1), now), Some(NOW), "after {minutes} min");
        }
        assert_eq!(refused.rolled_up_unix_ns(&batch(1), NOW + 60 * MINUTE_NS), None);
        assert!(!refused.is_used.load(Ordering::Relaxed), "nothing is hashed any more");
    }

    #[test]
    fn however_many_are_refused_the_newest_are_known_and_the_memory_is_bounded() {
        let refused = Refused::default();
        let many = 3 * GENERATION_MAX as u32;
        (0..many).for_each(|number| refused.remember(&batch(number), NOW));
        let known = refused.known();
        assert!(known.young.len() + known.old.len() <= 2 * GENERATION_MAX);
        drop(known);
        for number in many - GENERATION_MAX as u32..many {
            assert_eq!(refused.rolled_up_unix_ns(&batch(number), NOW), Some(NOW));
        }
    }
}
