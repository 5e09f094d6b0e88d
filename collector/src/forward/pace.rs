//! When the next request may go: after failures exponentially later, with full jitter so that many daemons do not
//! come back at once, and never before the destination wants it.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio::time::Instant;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(30);

/// A destination that fails this often in a row is said to be down. A single failure is an everyday thing: a
/// server that restarts, a proxy that closes an old connection.
const DOWN_AFTER: u32 = 3;

#[derive(Debug)]
pub struct Pace {
    /// Since the last success.
    failures: u32,
    resume_at: Instant,
    /// The destination asked not to be sent anything before, whatever else it takes meanwhile.
    asked_until: Instant,
}

impl Pace {
    pub fn new(now: Instant) -> Pace {
        Pace { failures: 0, resume_at: now, asked_until: now }
    }

    /// Counts a failure; `after` is what the destination asked for. What was in flight with it and failed for the
    /// same reason does not count again.
    pub fn failed(&mut self, now: Instant, after: Option<Duration>) {
        if now >= self.resume_at {
            self.resume_at = now + self.bound().mul_f64(random());
            self.failures = self.failures.saturating_add(1);
        }
        if let Some(after) = after {
            self.asked_until = self.asked_until.max(now + after + after.mul_f64(random() / 10.0));
            self.resume_at = self.asked_until;
        }
    }

    pub fn succeeded(&mut self) {
        self.failures = 0;
        self.resume_at = self.asked_until;
    }

    /// The last attempt failed.
    pub fn is_failing(&self) -> bool {
        self.failures > 0
    }

    pub fn is_down(&self) -> bool {
        self.failures >= DOWN_AFTER
    }

    /// Nothing is sent before.
    pub fn resume_at(&self) -> Instant {
        self.resume_at
    }

    /// The longest pause after the next failure; it doubles each time.
    fn bound(&self) -> Duration {
        // 2^9 times the first is above the longest.
        (FIRST * (1 << self.failures.min(9))).min(LONGEST)
    }
}

/// Evenly spread over 0..1. The standard library keys its hashers at random, which is random enough for this.
fn random() -> f64 {
    RandomState::new().hash_one(0) as f64 / u64::MAX as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_up_to_its_bound_and_is_spread_below_it() {
        let mut now = Instant::now();
        let mut pace = Pace::new(now);
        let mut bounds = Vec::new();
        for _ in 0..12 {
            bounds.push(pace.bound().as_millis());
            pace.failed(now, None);
            assert!(pace.resume_at() - now <= Duration::from_millis(*bounds.last().unwrap() as u64));
            now = pace.resume_at();
        }
        assert_eq!(bounds[..4], [100, 200, 400, 800]);
        assert_eq!(bounds[9..], [30_000; 3]);
        let spread: Vec<_> = (0..200).map(|_| random()).collect();
        assert!(spread.iter().any(|part| *part < 0.25) && spread.iter().any(|part| *part > 0.75));
        pace.succeeded();
        assert_eq!((pace.bound(), pace.is_failing()), (FIRST, false));
    }

    #[test]
    fn what_the_destination_asks_for_holds_over_failures_and_successes() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        for after in [Some(60), Some(2), None] {
            pace.failed(now, after.map(Duration::from_secs));
        }
        pace.succeeded();
        let pause = pace.resume_at() - now;
        assert!((60.0..66.1).contains(&pause.as_secs_f64()), "{pause:?}");
        let later = now + Duration::from_secs(70);
        pace.failed(later, None);
        pace.succeeded();
        assert!(pace.resume_at() <= later);
    }
}
