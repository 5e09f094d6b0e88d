//! Durations of calls with exponential forgetting: what is normal, as far as one hour knows.

use serde::{Deserialize, Serialize};

/// Eight buckets for each doubling, 65 µs to 73 min: at most 12.5 % wide, and read with interpolation.
const PER_DOUBLING: usize = 8;
const SMALLEST_LOG2: u32 = 16;
pub const BUCKETS: usize = PER_DOUBLING * 26;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Histogram {
    counts: Vec<f32>,
    total: f64,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { counts: vec![0.0; BUCKETS], total: 0.0 }
    }
}

/// The bucket of a duration.
pub fn bucket(ns: u64) -> u16 {
    let ns = ns.max(1 << SMALLEST_LOG2);
    let log2 = 63 - ns.leading_zeros();
    let part = (ns >> (log2 - 3)) as usize & (PER_DOUBLING - 1);
    let index = (log2 - SMALLEST_LOG2) as usize * PER_DOUBLING + part;
    index.min(BUCKETS - 1) as u16
}

/// The shortest duration of a bucket.
fn begin_ns(bucket: usize) -> f64 {
    let log2 = SMALLEST_LOG2 as usize + bucket / PER_DOUBLING;
    ((PER_DOUBLING + bucket % PER_DOUBLING) as u64 * (1 << (log2 - 3))) as f64
}

impl Histogram {
    pub fn total(&self) -> f64 {
        self.total
    }

    pub fn add(&mut self, bucket: u16) {
        if let Some(count) = self.counts.get_mut(usize::from(bucket)) {
            *count += 1.0;
            self.total += 1.0;
        }
    }

    /// Every count becomes `factor` of what it was.
    pub fn fade(&mut self, factor: f64) {
        self.counts.iter_mut().for_each(|count| *count *= factor as f32);
        self.total = self.counts.iter().map(|count| f64::from(*count)).sum();
    }

    /// The durations that the given shares of calls stay below, ascending; 0 without calls.
    pub fn quantiles<const N: usize>(&self, shares: [f64; N]) -> [f64; N] {
        let mut found = [0.0; N];
        let (mut below, mut next) = (0.0, 0);
        for (bucket, count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0.0) {
            let count = f64::from(*count);
            while next < N && below + count >= shares[next] * self.total {
                let part = ((shares[next] * self.total - below) / count).clamp(0.0, 1.0);
                found[next] = begin_ns(bucket) + part * (begin_ns(bucket + 1) - begin_ns(bucket));
                next += 1;
            }
            below += count;
        }
        let longest = found[..next].last().copied().unwrap_or_default();
        found[next..].fill(longest);
        found
    }

    /// The share of calls that took longer than `ns`.
    pub fn share_above(&self, ns: f64) -> f64 {
        if self.total <= 0.0 {
            return 0.0;
        }
        let at = usize::from(bucket(ns.max(0.0) as u64));
        let part = ((ns - begin_ns(at)) / (begin_ns(at + 1) - begin_ns(at))).clamp(0.0, 1.0);
        let above: f64 = self.counts[at + 1..].iter().map(|count| f64::from(*count)).sum();
        ((above + f64::from(self.counts[at]) * (1.0 - part)) / self.total).clamp(0.0, 1.0)
    }

    /// Whether a stored one has the shape of this version.
    pub fn is_whole(&self) -> bool {
        self.counts.len() == BUCKETS && self.counts.iter().all(|count| count.is_finite() && *count >= 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_and_shares_are_right_within_a_bucket() {
        let mut histogram = Histogram::default();
        for ms in 1..=1000u64 {
            histogram.add(bucket(ms * 1_000_000));
        }
        let found = histogram.quantiles([0.5, 0.95, 0.99]).map(|ns| ns / 1e6);
        for (found, want) in found.into_iter().zip([500.0, 950.0, 990.0]) {
            assert!((found / want - 1.0f64).abs() < 0.03, "{found} {want}");
        }
        assert!((histogram.share_above(900e6) - 0.1).abs() < 0.01);
        assert!((histogram.share_above(0.0) - 1.0).abs() < 1e-9);
        assert!(histogram.share_above(1e15) < 1e-9);
    }

    #[test]
    fn half_is_forgotten_by_a_factor_of_one_half() {
        let mut histogram = Histogram::default();
        (0..100).for_each(|_| histogram.add(bucket(1_000_000)));
        histogram.fade(0.5);
        (0..50).for_each(|_| histogram.add(bucket(100_000_000)));
        assert!((histogram.total() - 100.0).abs() < 1e-3);
        assert!((histogram.share_above(50e6) - 0.5).abs() < 1e-3);
    }

    #[test]
    fn the_shortest_and_the_longest_have_a_bucket() {
        assert_eq!(bucket(0), 0);
        assert_eq!(usize::from(bucket(u64::MAX)), BUCKETS - 1);
        assert!((1..BUCKETS).all(|at| begin_ns(at) > begin_ns(at - 1)));
        assert!((0..BUCKETS).all(|at| usize::from(bucket(begin_ns(at) as u64)) == at));
    }
}
