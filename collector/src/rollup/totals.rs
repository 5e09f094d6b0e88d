//! Counters since the start of the process, for `/metrics`: they outlive the windows and only grow.

use super::counts::Sample;
use super::outcome::Outcome;

/// Bounds of the classic histogram in seconds: card and bank timeouts are commonly 15–60 s, and the
/// conventions' own bounds stop at 10.
pub const BUCKETS_S: [f64; 18] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0,
];

/// Cumulative figures of one provider.
#[derive(Debug, Clone)]
pub struct Totals {
    pub provider: String,
    /// Operation, outcome, calls; each operation with all outcomes, so that a series begins at zero.
    pub calls: Vec<(String, &'static str, u64)>,
    /// Outcomes that occurred: sum of durations in seconds, count, and cumulative counts at [`BUCKETS_S`].
    pub durations: Vec<Durations>,
}

#[derive(Debug, Clone)]
pub struct Durations {
    pub outcome: &'static str,
    pub sum_s: f64,
    pub count: u64,
    /// Calls of at most the bound, one for each of [`BUCKETS_S`].
    pub at_most: Vec<u64>,
}

/// The counters of one provider.
#[derive(Debug, Default)]
pub struct Counters {
    /// By number of the operation.
    calls: Vec<[u64; Outcome::COUNT]>,
    durations: [Spread; Outcome::COUNT],
}

/// How the durations of one outcome spread; the last bucket is what exceeds all bounds.
#[derive(Debug, Clone, Copy, Default)]
struct Spread {
    sum_ns: u128,
    buckets: [u64; BUCKETS_S.len() + 1],
}

impl Counters {
    /// A series begins at zero: the operation is known from here on.
    pub fn operation(&mut self, operation: usize) {
        if self.calls.len() <= operation {
            self.calls.resize(operation + 1, [0; Outcome::COUNT]);
        }
    }

    #[inline]
    pub fn call(&mut self, operation: usize, sample: &Sample) {
        self.operation(operation);
        let outcome = sample.outcome as usize;
        self.calls[operation][outcome] += sample.calls;
        let seconds = sample.duration_ns as f64 / 1e9;
        let spread = &mut self.durations[outcome];
        spread.sum_ns += u128::from(sample.duration_ns) * u128::from(sample.calls);
        spread.buckets[BUCKETS_S.partition_point(|&bound| bound < seconds)] += sample.calls;
    }

    /// The figures, with the labels of the operations in order of their numbers.
    pub fn totals<'a>(&self, provider: &str, operations: impl Iterator<Item = &'a str>) -> Totals {
        let calls = self.calls.iter().zip(operations).flat_map(|(counts, operation)| {
            Outcome::ALL.map(|outcome| (operation.to_owned(), outcome.name(), counts[outcome as usize]))
        });
        let durations = Outcome::ALL.iter().zip(&self.durations).filter_map(|(outcome, spread)| {
            let count = spread.buckets.iter().sum();
            (count > 0).then(|| spread.durations(outcome.name(), count))
        });
        Totals { provider: provider.to_owned(), calls: calls.collect(), durations: durations.collect() }
    }
}

impl Spread {
    fn durations(&self, outcome: &'static str, count: u64) -> Durations {
        let cumulative = self.buckets[..BUCKETS_S.len()].iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        });
        Durations { outcome, sum_s: self.sum_ns as f64 / 1e9, count, at_most: cumulative.collect() }
    }
}
