//! Counters since the start of the process, for `/metrics`: they outlive the windows and only grow.

use std::time::Duration;

use super::counts::Sample;
use super::outcome::Outcome;

/// Bounds of the classic histogram in seconds, beside the provider's own timeout: card and bank timeouts are
/// commonly 15–60 s, and the conventions' own bounds stop at 10.
pub const BUCKETS_S: [f64; 18] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0,
];
/// One bound more is the timeout, and behind the last lies what exceeds all.
const COUNTS: usize = BUCKETS_S.len() + 2;

/// Cumulative figures of one provider.
#[derive(Debug, Clone)]
pub struct Totals {
    pub provider: String,
    /// Operation, outcome, calls; each operation with all outcomes, so that a series begins at zero.
    pub calls: Vec<(String, &'static str, u64)>,
    /// Upper ends of the histograms' buckets in seconds.
    pub bounds_s: Vec<f64>,
    /// Outcomes that occurred: sum of durations in seconds, count, and cumulative counts at `bounds_s`.
    pub durations: Vec<Durations>,
    /// Calls of the last minute by which the histograms can be understood, the newest first.
    pub exemplars: Vec<TotalsExemplar>,
}

#[derive(Debug, Clone)]
pub struct Durations {
    pub outcome: &'static str,
    pub sum_s: f64,
    pub count: u64,
    /// Calls of at most the bound, one for each.
    pub at_most: Vec<u64>,
}

/// One call of a histogram.
#[derive(Debug, Clone)]
pub struct TotalsExemplar {
    pub outcome: &'static str,
    pub seconds: f64,
    pub trace_id: String,
    pub span_id: String,
    /// Unix seconds.
    pub at_s: f64,
}

/// The counters of one provider.
#[derive(Debug)]
pub struct Counters {
    /// By number of the operation.
    calls: Vec<[u64; Outcome::COUNT]>,
    durations: [Spread; Outcome::COUNT],
    bounds_s: Vec<f64>,
}

/// How the durations of one outcome spread; the last in use is what exceeds all bounds.
#[derive(Debug, Clone, Copy, Default)]
struct Spread {
    sum_ns: u128,
    buckets: [u64; COUNTS],
}

impl Counters {
    pub fn new(timeout: Option<Duration>) -> Counters {
        Counters { calls: Vec::new(), durations: Default::default(), bounds_s: bounds_s(timeout) }
    }

    /// The provider has another timeout: what was counted cannot be told apart by it, so histograms begin anew.
    pub fn set_timeout(&mut self, timeout: Option<Duration>) {
        let bounds_s = bounds_s(timeout);
        if bounds_s != self.bounds_s {
            (self.bounds_s, self.durations) = (bounds_s, Default::default());
        }
    }

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
        spread.buckets[self.bounds_s.partition_point(|&bound| bound < seconds)] += sample.calls;
    }

    /// The figures, with the labels of the operations in order of their numbers.
    pub fn totals<'a>(&self, provider: &str, operations: impl Iterator<Item = &'a str>) -> Totals {
        let calls = self.calls.iter().zip(operations).flat_map(|(counts, operation)| {
            Outcome::ALL.map(|outcome| (operation.to_owned(), outcome.name(), counts[outcome as usize]))
        });
        let durations = Outcome::ALL.iter().zip(&self.durations).filter_map(|(outcome, spread)| {
            let count = spread.buckets.iter().sum();
            (count > 0).then(|| spread.durations(outcome.name(), count, self.bounds_s.len()))
        });
        Totals {
            provider: provider.to_owned(),
            calls: calls.collect(),
            bounds_s: self.bounds_s.clone(),
            durations: durations.collect(),
            exemplars: Vec::new(),
        }
    }
}

fn bounds_s(timeout: Option<Duration>) -> Vec<f64> {
    let mut bounds = BUCKETS_S.to_vec();
    let timeout = timeout.map(|timeout| timeout.as_secs_f64()).filter(|own| !BUCKETS_S.contains(own));
    bounds.extend(timeout);
    bounds.sort_by(f64::total_cmp);
    bounds
}

impl Spread {
    fn durations(&self, outcome: &'static str, count: u64, bounds: usize) -> Durations {
        let cumulative = self.buckets[..bounds].iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        });
        Durations { outcome, sum_s: self.sum_ns as f64 / 1e9, count, at_most: cumulative.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::latency::bucket;
    use super::*;

    #[test]
    fn the_timeout_of_a_provider_is_a_bound_of_its_own() {
        let mut counters = Counters::new(Some(Duration::from_millis(1_500)));
        let call = |counters: &mut Counters, ms: u64| {
            let duration_ns = ms * 1_000_000;
            let (outcome, bucket) = (Outcome::Timeout, bucket(duration_ns));
            counters.call(0, &Sample { outcome, duration_ns, bucket, calls: 1, converts: false });
        };
        [900, 1_500, 1_501, 200_000].into_iter().for_each(|ms| call(&mut counters, ms));
        let totals = counters.totals("bank", ["pay"].into_iter());
        assert_eq!(totals.bounds_s[6..10], [0.5, 1.0, 1.5, 2.5]);
        assert_eq!(totals.durations[0].at_most[6..10], [0, 1, 2, 3]);
        assert_eq!((totals.durations[0].at_most.last(), totals.durations[0].count), (Some(&3), 4));
        counters.set_timeout(Some(Duration::from_secs(30)));
        call(&mut counters, 900);
        let totals = counters.totals("bank", ["pay"].into_iter());
        assert_eq!((totals.bounds_s.as_slice(), totals.durations[0].count), (&BUCKETS_S[..], 1));
        assert_eq!(totals.calls[4], ("pay".to_owned(), "timeout", 5), "calls go on");
    }
}
