//! Time: the wall clock says when a span starts, a monotonic clock how long it takes.
//!
//! Reading both for each span would double the dearest part of recording, so each thread keeps one pair of
//! readings and derives the wall clock from the monotonic one for a second.

use std::cell::Cell;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long a pair of readings serves. A step of the wall clock shows in new spans after at most this time.
const ANCHOR_AGE_MAX: Duration = Duration::from_secs(1);

thread_local! {
    static ANCHOR: Cell<Option<Moment>> = const { Cell::new(None) };
}

/// One instant on both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    instant: Instant,
    unix_ns: u64,
}

impl Moment {
    /// Now, at the price of one clock reading.
    pub(crate) fn now() -> Moment {
        let instant = Instant::now();
        let anchor = ANCHOR.get();
        let kept = anchor.filter(|anchor| instant.duration_since(anchor.instant) < ANCHOR_AGE_MAX);
        let anchor = kept.unwrap_or_else(|| {
            let fresh = Moment { instant, unix_ns: wall_ns() };
            ANCHOR.set(Some(fresh));
            fresh
        });
        Moment { instant, unix_ns: anchor.at(instant) }
    }

    pub(crate) fn unix_ns(self) -> u64 {
        self.unix_ns
    }

    pub(crate) fn instant(self) -> Instant {
        self.instant
    }

    /// Now, with the time since this moment measured by the monotonic clock: never before it.
    pub(crate) fn later(self) -> Moment {
        let instant = Instant::now();
        Moment { instant, unix_ns: self.at(instant) }
    }

    fn at(self, instant: Instant) -> u64 {
        self.unix_ns + instant.saturating_duration_since(self.instant).as_nanos() as u64
    }
}

/// The wall clock, in unix nanoseconds.
#[allow(clippy::disallowed_methods)] // the client's only reading of the wall clock
pub(crate) fn wall_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_agree_with_the_wall_clock_and_never_run_backwards() {
        let mut last = Moment::now();
        for _ in 0..1000 {
            let before = wall_ns();
            let now = Moment::now();
            assert!(now.unix_ns() >= last.unix_ns());
            assert!(now.later().unix_ns() >= now.unix_ns());
            assert!(now.unix_ns().abs_diff(before) < 5_000_000_000);
            last = now;
        }
    }
}
