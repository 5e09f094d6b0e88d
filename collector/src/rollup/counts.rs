//! What is counted of calls, whatever the stretch of time.

use super::outcome::Outcome;

/// One finished call, as windows and counters take it.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    pub outcome: Outcome,
    pub duration_ns: u64,
    /// Where `duration_ns` is in a histogram.
    pub bucket: u16,
    /// How many calls it stands for; 1 where nothing is sampled.
    pub calls: u64,
    /// Of an operation that counts for conversion.
    pub converts: bool,
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

    #[inline]
    pub fn add(&mut self, sample: &Sample) {
        let calls = sample.calls;
        self.by_outcome[sample.outcome as usize] += calls;
        self.sum_ns = self.sum_ns.saturating_add(sample.duration_ns.saturating_mul(calls));
        self.max_ns = self.max_ns.max(sample.duration_ns);
        if sample.converts {
            self.converted += if sample.outcome == Outcome::Ok { calls } else { 0 };
            self.convertible += if sample.outcome == Outcome::Cancelled { 0 } else { calls };
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
