//! How far the clocks of hosts are off: the least of arrival − newest end over a minute, for a span cannot end
//! after it has arrived.
//!
//! A clock that is ahead shows by itself and is put right. One that is behind looks like a slow way to us; it is
//! shown, and its calls count as late.

use std::collections::HashMap;

use super::observed::Name;

/// A clock that is ahead by less is not worth a word.
pub const AHEAD_NS: u64 = 2_000_000_000;
/// What comes later than this even at best comes from a clock that is behind, or from a sender that should know.
const BEHIND_NS: i64 = 30_000_000_000;
/// Hosts at a time: the 1,500 of a company, and as many of another. Others are taken to be right.
const HOSTS_MAX: usize = 4096;
/// The minute is kept in sixths.
const PART_S: u64 = 10;
const PARTS: usize = 6;
/// A host without a span for so long is forgotten.
const IDLE_S: u64 = 900;

#[derive(Debug, Clone, Copy)]
struct HostClock {
    /// Least delay of each sixth of a minute; `i64::MAX` = none.
    least_ns: [i64; PARTS],
    part: u64,
}

impl HostClock {
    fn least_ns(&self) -> i64 {
        self.least_ns.iter().copied().min().unwrap_or(i64::MAX)
    }

    fn saw(&mut self, part: u64, delay_ns: i64) {
        for passed in self.part + 1..=part.min(self.part + PARTS as u64) {
            self.least_ns[passed as usize % PARTS] = i64::MAX;
        }
        // After a longer pause the last parts are cleared above, whatever their numbers.
        self.part = self.part.max(part);
        let least = &mut self.least_ns[part as usize % PARTS];
        *least = (*least).min(delay_ns);
    }

    fn ahead_ns(&self) -> u64 {
        let ahead_ns = self.least_ns().min(0).unsigned_abs();
        if ahead_ns > AHEAD_NS { ahead_ns } else { 0 }
    }
}

#[derive(Debug, Default)]
pub struct Skews(HashMap<Name, HostClock>);

impl Skews {
    /// By how much the clock of `host` is ahead.
    pub fn ahead_ns(&self, host: Name) -> u64 {
        self.0.get(&host).map_or(0, HostClock::ahead_ns)
    }

    /// Something arrived whose newest span had ended at `end_ns` by the host's clock. By how much that is ahead.
    pub fn saw(&mut self, host: Name, arrival_ns: u64, end_ns: u64) -> u64 {
        // Nobody's clock: senders that name no host have nothing in common.
        if host == Name::NONE || host == Name::OTHER {
            return 0;
        }
        if self.0.len() >= HOSTS_MAX && !self.0.contains_key(&host) {
            return 0;
        }
        let delay_ns =
            (i128::from(arrival_ns) - i128::from(end_ns)).clamp(-i128::from(i64::MAX), i128::from(i64::MAX));
        let part = arrival_ns / 1_000_000_000 / PART_S;
        let clock = self.0.entry(host).or_insert(HostClock { least_ns: [i64::MAX; PARTS], part });
        clock.saw(part, delay_ns as i64);
        clock.ahead_ns()
    }

    pub fn tick(&mut self, now_s: u64) {
        self.0.retain(|_, clock| (clock.part + 1) * PART_S + IDLE_S > now_s);
    }

    /// Hosts whose clock is off, and by how many seconds; ahead is positive.
    pub fn list(&self) -> Vec<(Name, f64)> {
        let off = self.0.iter().filter_map(|(host, clock)| match clock.least_ns() {
            least if clock.ahead_ns() > 0 || least > BEHIND_NS && least < i64::MAX => Some((*host, least)),
            _ => None,
        });
        off.map(|(host, least_ns)| (host, -least_ns as f64 / 1e9)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const NOW: u64 = 1_795_378_500 * SECOND;

    #[test]
    fn a_clock_that_is_ahead_shows_by_ends_after_their_arrival() {
        let mut skews = Skews::default();
        let host = Name(7);
        assert_eq!(skews.saw(host, NOW, NOW - SECOND), 0);
        assert_eq!(skews.saw(host, NOW, NOW + 2 * SECOND), 0, "so much is usual");
        assert_eq!(skews.saw(host, NOW, NOW + 600 * SECOND), 600 * SECOND);
        // A slow batch says less than a quick one.
        assert_eq!(skews.saw(host, NOW + SECOND, NOW + 590 * SECOND), 600 * SECOND);
        assert_eq!(skews.list(), [(host, 600.0)]);
        assert_eq!(skews.ahead_ns(Name(8)), 0);
    }

    #[test]
    fn a_clock_that_was_put_right_is_believed_after_a_minute() {
        let mut skews = Skews::default();
        let host = Name(7);
        skews.saw(host, NOW, NOW + 600 * SECOND);
        for second in 1..=60 {
            let ahead_ns = skews.saw(host, NOW + second * SECOND, NOW + (second - 1) * SECOND);
            assert_eq!(ahead_ns, if second < 60 { 600 * SECOND } else { 0 }, "{second}");
        }
        skews.saw(host, NOW + 60 * SECOND, NOW + 660 * SECOND);
        assert_eq!(skews.saw(host, NOW + 500 * SECOND, NOW + 500 * SECOND), 0);
        skews.tick(1_795_378_500 + 500 + 911);
        assert!(skews.0.is_empty());
    }

    #[test]
    fn a_clock_that_is_behind_is_shown_and_nobodys_clock_is_not_kept() {
        let mut skews = Skews::default();
        assert_eq!(skews.saw(Name(7), NOW, NOW - 600 * SECOND), 0);
        assert_eq!(skews.saw(Name::NONE, NOW, NOW + 600 * SECOND), 0);
        assert_eq!(skews.list(), [(Name(7), -600.0)]);
        skews.saw(Name(7), NOW, NOW - 5 * SECOND);
        assert!(skews.list().is_empty());
    }
}
