//! When to try a receiver again that did not answer.

use crate::clock::Clock;

/// The first pause; a receiver that restarts is back within a few of them.
const PAUSE_NS_MIN: u64 = 1_000_000_000;
/// The longest. With the time of a call it keeps the promise of one minute after a receiver's return.
const PAUSE_NS_MAX: u64 = 30_000_000_000;

/// Doubling pauses with jitter, so that the daemons of a fleet do not come back all at once.
#[derive(Debug, Default)]
pub struct Retry {
    failures: u32,
    not_before_unix_ns: u64,
}

impl Retry {
    pub fn may_try(&self, now_ns: u64) -> bool {
        now_ns >= self.not_before_unix_ns
    }

    pub fn succeeded(&mut self) {
        *self = Retry::default();
    }

    /// `random` is any number; it chooses from the upper half of the pause.
    pub fn failed(&mut self, now_ns: u64, random: u64) {
        let pause = PAUSE_NS_MIN.saturating_mul(1 << self.failures.min(10)).min(PAUSE_NS_MAX);
        self.failures += 1;
        self.not_before_unix_ns = now_ns + pause / 2 + random % (pause / 2 + 1);
    }

    pub fn failures(&self) -> u32 {
        self.failures
    }
}

/// A number that differs from call to call: no secret depends on it.
pub fn random(clock: &Clock) -> u64 {
    use std::hash::BuildHasher;
    std::hash::RandomState::new().hash_one(clock.unix_ns())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_with_jitter_up_to_half_a_minute() {
        let mut retry = Retry::default();
        assert!(retry.may_try(0));
        let mut pauses = Vec::new();
        for random in [0, u64::MAX / 3, 7, 500_000_000, 1, 2, 3, 4] {
            retry.failed(0, random);
            pauses.push(retry.not_before_unix_ns);
        }
        let longest = |n: u32| (PAUSE_NS_MIN << n).min(PAUSE_NS_MAX);
        for (n, pause) in pauses.iter().enumerate() {
            assert!((longest(n as u32) / 2..=longest(n as u32)).contains(pause), "{pauses:?}");
        }
        assert!(!retry.may_try(pauses[7] - 1) && retry.may_try(pauses[7]));
        retry.succeeded();
        assert!(retry.may_try(0));
    }
}
