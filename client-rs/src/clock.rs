//! Time: the wall clock says when a span starts, a monotonic clock how long it takes.
//!
//! Reading both for each span would double the dearest part of recording, so each thread keeps one pair of
//! readings and derives the wall clock from the monotonic one for a second. Readings are plain nanoseconds: the
//! arithmetic of `Instant` costs a quarter of the reading itself.

use std::cell::Cell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

/// How long a pair of readings serves. A step of the wall clock shows in new spans after at most this time.
const ANCHOR_AGE_MAX: Duration = Duration::from_secs(1);

thread_local! {
    static ANCHOR: Cell<Option<Moment>> = const { Cell::new(None) };
}

/// A reading of the monotonic clock, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tick(u64);

impl Tick {
    #[inline]
    pub(crate) fn now() -> Tick {
        let now = clock_gettime(ClockId::Monotonic);
        Tick(now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64)
    }

    /// Time since an earlier tick; zero since a later one.
    #[inline]
    pub(crate) fn since(self, earlier: Tick) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The tick this long ago; `None` before the clock began.
    pub(crate) fn before(self, time: Duration) -> Option<Tick> {
        let ns = u64::try_from(time.as_nanos()).ok()?;
        self.0.checked_sub(ns).map(Tick)
    }
}

/// One instant on both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    tick: Tick,
    unix_ns: u64,
}

impl Moment {
    /// Now, at the price of one clock reading.
    #[inline]
    pub(crate) fn now() -> Moment {
        let tick = Tick::now();
        let anchor = ANCHOR.try_with(Cell::get).ok().flatten();
        let kept = anchor.filter(|anchor| tick.since(anchor.tick) < ANCHOR_AGE_MAX);
        let anchor = kept.unwrap_or_else(|| Moment::anchor(tick));
        Moment { tick, unix_ns: anchor.at(tick) }
    }

    #[cold]
    fn anchor(tick: Tick) -> Moment {
        let fresh = Moment { tick, unix_ns: wall_ns() };
        let _ = ANCHOR.try_with(|anchor| anchor.set(Some(fresh)));
        fresh
    }

    /// A moment that the caller names by the wall clock.
    #[cfg(feature = "otel")]
    pub(crate) fn at_unix_ns(unix_ns: u64) -> Moment {
        let now = Moment::now();
        let back = now.unix_ns.saturating_sub(unix_ns);
        Moment { tick: Tick(now.tick.0.saturating_sub(back)), unix_ns }
    }

    pub(crate) fn unix_ns(self) -> u64 {
        self.unix_ns
    }

    pub(crate) fn tick(self) -> Tick {
        self.tick
    }

    /// Now, with the time since this moment measured by the monotonic clock: never before it.
    #[inline]
    pub(crate) fn later(self) -> Moment {
        let tick = Tick::now();
        Moment { tick, unix_ns: self.at(tick) }
    }

    #[inline]
    fn at(self, tick: Tick) -> u64 {
        self.unix_ns + tick.0.saturating_sub(self.tick.0)
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

    #[test]
    fn ticks_know_their_distance() {
        let tick = Tick(5_000);
        assert_eq!(tick.since(Tick(2_000)), Duration::from_nanos(3_000));
        assert_eq!(Tick(2_000).since(tick), Duration::ZERO);
        assert_eq!(tick.before(Duration::from_nanos(4_999)), Some(Tick(1)));
        assert_eq!(tick.before(Duration::MAX), None);
    }
}
