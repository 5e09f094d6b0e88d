//! One provider's last 15 minutes: a slot for each second in which a call ended, coarse slots of 10 s for what
//! came in late or was kept from before the start, and sums over them.

use super::counts::{Counts, Sample};
use super::latency::{Compact, Merged};
use super::settled::{STORED_S, StoredWindow};
use super::slots::Slots;

/// Seconds kept.
pub const SECONDS: u64 = 900;

/// The sum of some seconds. Kept and cleared between uses: it holds one counter for each bucket.
#[derive(Debug, Default)]
pub struct Sum {
    pub counts: Counts,
    /// Durations of calls that were ok or declined.
    pub answered: Merged,
    /// Durations of all others.
    pub other: Merged,
    /// Calls that came in more than 30 s after their end.
    pub late: u64,
}

impl Sum {
    pub fn clear(&mut self) {
        self.counts = Counts::default();
        self.answered.clear();
        self.other.clear();
        self.late = 0;
    }

    fn add(&mut self, slot: &Slot) {
        self.counts.merge(&slot.counts);
        slot.answered.merge_into(&mut self.answered);
        slot.other.merge_into(&mut self.other);
        self.late += slot.late;
    }
}

/// What ended within one second, or within one window of 10 s.
#[derive(Debug, Default)]
pub struct Slot {
    pub counts: Counts,
    answered: Compact,
    other: Compact,
    late: u64,
    /// Since the store last asked.
    changed: bool,
    /// Since it was last packed.
    is_loose: bool,
    /// All that is known of its 10 s: there are no slots of single seconds beside it.
    is_whole: bool,
}

impl Slot {
    #[inline]
    fn call(&mut self, sample: &Sample) {
        self.changed = true;
        self.counts.add(sample);
        let histogram = if sample.outcome.is_answer() { &mut self.answered } else { &mut self.other };
        histogram.add(sample.bucket, sample.calls);
    }

    fn settle(&mut self) {
        self.is_loose = false;
        self.answered.settle();
        self.other.settle();
    }
}

/// The slots of one provider.
#[derive(Debug, Default)]
pub struct Window {
    seconds: Slots<Slot>,
    /// By the first second of a stored window.
    coarse: Slots<Slot>,
    /// Slots to be packed: second, and whether it is a coarse one.
    loose: Vec<(u64, bool)>,
}

impl Window {
    /// A call that ended in `second`.
    #[inline]
    pub fn call(&mut self, second: u64, sample: &Sample, is_late: bool) {
        let slot = self.slot(second, is_late);
        slot.call(sample);
        slot.late += if is_late { sample.calls } else { 0 };
        if !slot.is_loose {
            slot.is_loose = true;
            self.loose.push((second, is_late));
        }
    }

    pub fn attempt(&mut self, second: u64, calls: u64, is_late: bool) {
        let slot = self.slot(second, is_late);
        slot.changed = true;
        slot.counts.attempts += calls;
    }

    #[inline]
    fn slot(&mut self, second: u64, is_late: bool) -> &mut Slot {
        if is_late { self.coarse.at(begin_of(second)) } else { self.seconds.at(second) }
    }

    /// Packs what was added to seconds that are over.
    pub fn settle(&mut self, now_s: u64) {
        for (second, is_coarse) in self.loose.extract_if(.., |(second, _)| *second < now_s) {
            let slots = if is_coarse { &mut self.coarse } else { &mut self.seconds };
            let begin = if is_coarse { begin_of(second) } else { second };
            if let Some(slot) = slots.find(begin) {
                slot.settle();
            }
        }
    }

    /// Forgets the stored windows that begin before `floor_s`.
    pub fn forget(&mut self, floor_s: u64) {
        self.seconds.forget(floor_s);
        self.coarse.forget(floor_s);
    }

    pub fn is_empty(&self) -> bool {
        self.seconds.is_empty() && self.coarse.is_empty()
    }

    /// Adds up the seconds `from..to`. What is known by 10 s only counts in the first of them, and not at all in
    /// sums of less than that, unless there is nothing finer.
    pub fn sum_into(&self, from: u64, to: u64, sum: &mut Sum) {
        self.between(from, to).for_each(|slot| sum.add(slot));
    }

    /// The counts alone, which is cheap over all 15 minutes.
    pub fn counts(&self, from: u64, to: u64) -> Counts {
        self.between(from, to).fold(Counts::default(), |mut counts, slot| {
            counts.merge(&slot.counts);
            counts
        })
    }

    fn between(&self, from: u64, to: u64) -> impl Iterator<Item = &Slot> {
        let is_long = to.saturating_sub(from) >= STORED_S;
        let coarse = self.coarse.between(from, to).filter(move |(_, slot)| is_long || slot.is_whole);
        self.seconds.between(from, to).chain(coarse).map(|(_, slot)| slot)
    }

    /// Whether some of the seconds `from..to` are known by 10 s only.
    pub fn is_coarse(&self, from: u64, to: u64) -> bool {
        self.coarse.between(from, to).any(|(_, slot)| slot.is_whole)
    }

    /// The first second of each stored window before `to_s` that has changed since this was last asked.
    pub fn take_changed(&mut self, to_s: u64) -> Vec<u64> {
        let slots = self.seconds.between_mut(0, to_s).chain(self.coarse.between_mut(0, to_s));
        let changed =
            slots.filter_map(|(second, slot)| std::mem::take(&mut slot.changed).then_some(begin_of(second)));
        let mut begins: Vec<u64> = changed.collect();
        begins.sort_unstable();
        begins.dedup();
        begins
    }

    /// Takes over what was stored.
    pub fn restore(&mut self, stored: &StoredWindow) {
        let slot = self.coarse.at(stored.begin_s);
        slot.counts.merge(&stored.counts);
        slot.late += stored.late;
        slot.is_whole = true;
        stored.answered.iter().for_each(|&(bucket, calls)| slot.answered.add(bucket, calls));
        stored.other.iter().for_each(|&(bucket, calls)| slot.other.add(bucket, calls));
        slot.settle();
    }
}

/// The first second of the stored window that `second` is in.
pub fn begin_of(second: u64) -> u64 {
    second / STORED_S * STORED_S
}
