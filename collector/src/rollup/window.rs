//! One provider's last 15 minutes: a slot for each second in which a call ended, and sums over them.

use std::collections::VecDeque;

use super::latency::{Compact, Merged, bucket};
use super::outcome::Outcome;

/// Seconds kept.
pub const SECONDS: u64 = 900;

/// One finished call, as a window takes it.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    pub outcome: Outcome,
    pub duration_ns: u64,
    /// Of an operation that counts for conversion.
    pub converts: bool,
}

/// What ended within one second. Seconds without a call have no slot, so a quiet provider takes no room.
#[derive(Debug)]
struct Slot {
    second: u64,
    counts: Counts,
    answered: Compact,
    /// Durations of all that is neither ok nor declined.
    other: Compact,
}

/// Counts that add up over any number of seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub by_outcome: [u64; Outcome::COUNT],
    pub attempts: u64,
    /// Of calls that count for conversion: ok, and all but cancelled.
    pub converted: u64,
    pub convertible: u64,
    pub sum_ns: u64,
    pub max_ns: u64,
}

impl Counts {
    pub fn of(&self, outcome: Outcome) -> u64 {
        self.by_outcome[outcome as usize]
    }

    pub fn calls(&self) -> u64 {
        self.by_outcome.iter().sum()
    }

    /// `None` at 0/0.
    pub fn conversion(&self) -> Option<f64> {
        ratio(self.converted, self.convertible)
    }

    /// (failed + timeout + connect) / (all − cancelled − client_fault)
    pub fn failure_ratio(&self) -> Option<f64> {
        let failures = self.of(Outcome::Failed) + self.of(Outcome::Timeout) + self.of(Outcome::Connect);
        ratio(failures, self.calls() - self.of(Outcome::Cancelled) - self.of(Outcome::ClientFault))
    }

    fn add(&mut self, sample: &Sample) {
        self.by_outcome[sample.outcome as usize] += 1;
        self.sum_ns = self.sum_ns.saturating_add(sample.duration_ns);
        self.max_ns = self.max_ns.max(sample.duration_ns);
        if sample.converts {
            self.converted += u64::from(sample.outcome == Outcome::Ok);
            self.convertible += u64::from(sample.outcome != Outcome::Cancelled);
        }
    }

    pub fn merge(&mut self, other: &Counts) {
        for (sum, count) in self.by_outcome.iter_mut().zip(other.by_outcome) {
            *sum += count;
        }
        self.attempts += other.attempts;
        self.converted += other.converted;
        self.convertible += other.convertible;
        self.sum_ns = self.sum_ns.saturating_add(other.sum_ns);
        self.max_ns = self.max_ns.max(other.max_ns);
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// The sum of some seconds. Kept and cleared between uses: it holds one counter for each bucket.
#[derive(Debug, Default)]
pub struct Sum {
    pub counts: Counts,
    pub answered: Merged,
    pub other: Merged,
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
    }
}

/// The slots of one provider, ascending in time.
#[derive(Debug, Default)]
pub struct Window {
    slots: VecDeque<Slot>,
    /// Seconds whose histograms have unsorted additions.
    unsettled: Vec<u64>,
}

impl Window {
    #[inline]
    pub fn call(&mut self, second: u64, sample: &Sample) {
        let slot = self.slot(second);
        slot.counts.add(sample);
        let histogram = if sample.outcome.is_answer() { &mut slot.answered } else { &mut slot.other };
        let was_settled = histogram.is_settled();
        histogram.add(bucket(sample.duration_ns));
        if was_settled {
            self.unsettled.push(second);
        }
    }

    pub fn attempt(&mut self, second: u64) {
        self.slot(second).counts.attempts += 1;
    }

    #[inline]
    fn slot(&mut self, second: u64) -> &mut Slot {
        let at = match self.slots.back() {
            Some(last) if last.second == second => self.slots.len() - 1,
            _ => self.find_or_insert(second),
        };
        &mut self.slots[at]
    }

    fn find_or_insert(&mut self, second: u64) -> usize {
        let at = self.slots.partition_point(|slot| slot.second < second);
        if self.slots.get(at).is_none_or(|slot| slot.second != second) {
            let slot = Slot {
                second,
                counts: Counts::default(),
                answered: Compact::default(),
                other: Compact::default(),
            };
            self.slots.insert(at, slot);
        }
        at
    }

    /// Forgets what is older than 15 min, and packs what was added to seconds that are over.
    pub fn tick(&mut self, now_s: u64) {
        while self.slots.front().is_some_and(|slot| slot.second + SECONDS <= now_s) {
            self.slots.pop_front();
        }
        for second in self.unsettled.extract_if(.., |second| *second < now_s) {
            if let Ok(at) = self.slots.binary_search_by_key(&second, |slot| slot.second) {
                self.slots[at].answered.settle();
                self.slots[at].other.settle();
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Adds up the seconds `from..to`.
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
        let first = self.slots.partition_point(|slot| slot.second < from);
        self.slots.range(first..).take_while(move |slot| slot.second < to)
    }
}
