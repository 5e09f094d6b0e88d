//! What of one provider is in flight, now and in each of the last 15 minutes' seconds.

use super::slots::Slots;
use super::window::SECONDS;

/// Upper ends of the age classes in seconds; the last class is for all above.
pub const AGES_S: [u64; 6] = [1, 2, 5, 10, 30, 60];
/// A provider of whom no source has told an open call for so long has no figure, rather than a zero that may
/// only mean that its callers tell nothing.
const KNOWN_NS: u64 = SECONDS * 1_000_000_000;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InFlight {
    pub calls: u64,
    pub oldest_ns: u64,
    /// Calls by age: below each of [`AGES_S`] and not below the one before, and those of at least the last.
    pub ages: [u64; AGES_S.len() + 1],
}

#[derive(Debug, Default)]
pub struct Flight {
    present: Option<InFlight>,
    seconds: Slots<InFlight>,
    /// When an open call was last told; 0 = never.
    seen_ns: u64,
}

impl Flight {
    pub fn present(&self) -> Option<InFlight> {
        self.present
    }

    pub fn is_empty(&self) -> bool {
        self.present.is_none_or(|present| present.calls == 0)
    }

    /// No source tells anything.
    pub fn ground(&mut self) {
        self.present = None;
    }

    pub fn begin(&mut self, now_ns: u64) {
        let is_known = self.seen_ns > 0 && now_ns.saturating_sub(self.seen_ns) < KNOWN_NS;
        self.present = is_known.then(InFlight::default);
    }

    pub fn add(&mut self, now_ns: u64, age_ns: u64) {
        self.seen_ns = now_ns;
        let present = self.present.get_or_insert_default();
        present.calls += 1;
        present.oldest_ns = present.oldest_ns.max(age_ns);
        present.ages[AGES_S.partition_point(|&end_s| end_s <= age_ns / 1_000_000_000)] += 1;
    }

    /// All are counted; of several counts in one second the last stays.
    pub fn end(&mut self, now_ns: u64) {
        let now_s = now_ns / 1_000_000_000;
        if let Some(present) = self.present {
            *self.seconds.at(now_s) = present;
        }
        self.seconds.forget((now_s + 1).saturating_sub(SECONDS));
    }

    /// The most that was in flight in the seconds `from..to`, and the oldest.
    pub fn most(&self, from: u64, to: u64) -> Option<InFlight> {
        let of = self.seconds.between(from, to).map(|(_, flight)| *flight);
        of.reduce(|a, b| InFlight {
            oldest_ns: a.oldest_ns.max(b.oldest_ns),
            ..if b.calls > a.calls { b } else { a }
        })
    }
}
