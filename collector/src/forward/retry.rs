//! How long to wait after a failure: exponential, with full jitter, so that many daemons do not come back at once.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(30);

/// A destination that fails this often in a row is said to be down. A single failure is an everyday thing: a
/// server that restarts, a proxy that closes an old connection.
const DOWN_AFTER: u32 = 3;

/// The failures since the last success.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Counts a failure and says how long to wait: anything between nothing and the bound, which doubles each time.
    pub fn failed(&mut self) -> Duration {
        let bound = self.bound();
        self.failures = self.failures.saturating_add(1);
        bound.mul_f64(random())
    }

    pub fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// The last attempt failed.
    pub fn is_failing(&self) -> bool {
        self.failures > 0
    }

    pub fn is_down(&self) -> bool {
        self.failures >= DOWN_AFTER
    }

    fn bound(&self) -> Duration {
        // 2^9 times the first is above the longest.
        (FIRST * (1 << self.failures.min(9))).min(LONGEST)
    }
}

/// Evenly spread over 0..1. The standard library keys its hashers at random, which is random enough for this.
pub fn random() -> f64 {
    RandomState::new().hash_one(0) as f64 / u64::MAX as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_its_bound_and_is_spread_below_it() {
        let mut backoff = Backoff::default();
        let mut bounds = Vec::new();
        for _ in 0..12 {
            bounds.push(backoff.bound().as_millis());
            assert!(backoff.failed() <= Duration::from_millis(*bounds.last().unwrap() as u64));
        }
        assert_eq!(bounds[..4], [100, 200, 400, 800]);
        assert_eq!(bounds[9..], [30_000; 3]);
        let waits: Vec<_> = (0..200).map(|_| random()).collect();
        assert!(waits.iter().any(|wait| *wait < 0.25) && waits.iter().any(|wait| *wait > 0.75));
        backoff.succeeded();
        assert_eq!(backoff.bound(), FIRST);
    }
}
