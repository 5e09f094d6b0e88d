//! Calls to look at: of each 10 s the two slowest, two that failed and one at random, by their trace.

use super::observed::{Finished, Name};
use super::outcome::Outcome;
use super::slots::Slots;

/// Seconds that share a choice.
const CHOICE_S: u64 = 10;
const SLOW: usize = 2;
const FAILED: usize = 2;

/// Why a call was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Slow,
    Failed,
    Recent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    pub trace_id: [u8; 16],
    pub span_id: u64,
    pub end_unix_ns: u64,
    pub duration_ns: u64,
    pub operation: Name,
    pub service: Name,
    pub host: Name,
    pub outcome: Outcome,
}

#[derive(Debug, Default)]
struct Choice {
    slow: [Option<Kept>; SLOW],
    /// The newest at the place where the oldest was.
    failed: [Option<Kept>; FAILED],
    failures: usize,
    random: Option<Kept>,
    calls: u64,
}

#[derive(Debug, Default)]
pub struct Exemplars(Slots<Choice>);

impl Exemplars {
    /// One more call; true = it is kept, so its trace should be.
    #[inline]
    pub fn call(&mut self, finished: &Finished) -> bool {
        let choice = self.0.at(finished.end_unix_ns / 1_000_000_000 / CHOICE_S * CHOICE_S);
        choice.calls += 1;
        // The n-th call takes the place with a chance of 1/n, so that each has the same. Span ids are random.
        let is_random = (u128::from(mixed(finished.span_id)) * u128::from(choice.calls)) >> 64 == 0;
        let slow = fastest(&choice.slow);
        let is_slow = choice.slow[slow].is_none_or(|kept| kept.duration_ns < finished.duration_ns);
        let is_failed = finished.outcome.is_bad();
        if !(is_random || is_slow || is_failed) {
            return false;
        }
        let kept = Kept {
            trace_id: finished.trace_id,
            span_id: finished.span_id,
            end_unix_ns: finished.end_unix_ns,
            duration_ns: finished.duration_ns,
            operation: finished.labels.operation,
            service: finished.labels.service,
            host: finished.labels.host,
            outcome: finished.outcome,
        };
        if is_random {
            choice.random = Some(kept);
        }
        if is_slow {
            choice.slow[slow] = Some(kept);
        }
        if is_failed {
            choice.failed[choice.failures % FAILED] = Some(kept);
            choice.failures += 1;
        }
        true
    }

    pub fn forget(&mut self, floor_s: u64) {
        self.0.forget(floor_s);
    }

    /// Those of one kind that ended in `from_ns..to_ns`: the slowest first, otherwise the newest.
    pub fn list(&self, kind: Kind, from_ns: u64, to_ns: u64) -> Vec<Kept> {
        let (from_s, to_s) = (from_ns / 1_000_000_000 / CHOICE_S * CHOICE_S, to_ns.div_ceil(1_000_000_000));
        let choices = self.0.between(from_s, to_s).map(|(_, choice)| choice);
        let of_kind = |choice: &Choice| match kind {
            Kind::Slow => choice.slow.to_vec(),
            Kind::Failed => choice.failed.to_vec(),
            Kind::Recent => [&choice.slow[..], &choice.failed[..], &[choice.random][..]].concat(),
        };
        let all = choices.flat_map(of_kind).flatten();
        let mut found: Vec<Kept> = all.filter(|kept| (from_ns..to_ns).contains(&kept.end_unix_ns)).collect();
        let newest = |kept: &Kept| (u64::MAX - kept.end_unix_ns, kept.trace_id, kept.span_id);
        match kind {
            Kind::Slow => found.sort_by_key(|kept| (u64::MAX - kept.duration_ns, newest(kept))),
            Kind::Failed | Kind::Recent => found.sort_by_key(newest),
        }
        found.dedup();
        found
    }
}

fn fastest(kept: &[Option<Kept>; SLOW]) -> usize {
    let duration = |at: usize| kept[at].map_or(0, |kept| kept.duration_ns);
    if kept[0].is_none() || kept[1].is_some() && duration(0) <= duration(1) { 0 } else { 1 }
}

/// Spreads an id that may be a counter: the finalizer of SplitMix64 (Steele, Lea and Flood, 2014).
fn mixed(id: u64) -> u64 {
    let id = (id ^ (id >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let id = (id ^ (id >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    id ^ (id >> 31)
}

#[cfg(test)]
mod tests {
    use super::super::observed::Labels;
    use super::*;

    const BEGIN_NS: u64 = 1_795_378_500_000_000_000;

    fn finished(number: u64, ms: u64, outcome: Outcome) -> Finished {
        Finished {
            labels: Labels::default(),
            outcome,
            end_unix_ns: BEGIN_NS + number * 1_000_000,
            duration_ns: ms * 1_000_000,
            received_unix_ns: BEGIN_NS,
            trace_id: [1; 16],
            span_id: number,
            weight: 1024,
            converts: false,
        }
    }

    fn ids(exemplars: &Exemplars, kind: Kind) -> Vec<u64> {
        exemplars.list(kind, BEGIN_NS, u64::MAX).iter().map(|kept| kept.span_id).collect()
    }

    #[test]
    fn of_ten_seconds_the_slowest_and_the_newest_failures_stay() {
        let mut exemplars = Exemplars::default();
        for (number, ms) in [5, 90, 7, 80, 3, 100, 60].into_iter().enumerate() {
            exemplars.call(&finished(number as u64, ms, Outcome::Ok));
        }
        for number in 10..15 {
            assert!(exemplars.call(&finished(number, 1, Outcome::Connect)));
        }
        exemplars.call(&finished(15, 1, Outcome::Declined));
        assert_eq!(ids(&exemplars, Kind::Slow), [5, 1]);
        assert_eq!(ids(&exemplars, Kind::Failed), [14, 13]);
        let recent = ids(&exemplars, Kind::Recent);
        assert!((4..=5).contains(&recent.len()) && recent.is_sorted_by(|a, b| a > b), "{recent:?}");
        exemplars.call(&finished(10_000, 1, Outcome::Ok));
        assert_eq!(ids(&exemplars, Kind::Slow), [5, 1, 10_000], "the next ten seconds choose anew");
        exemplars.forget(BEGIN_NS / 1_000_000_000 + 10);
        assert_eq!(ids(&exemplars, Kind::Recent), [10_000]);
    }

    #[test]
    fn each_call_has_the_same_chance_to_be_the_random_one() {
        let mut counts = [0; 4];
        for round in 0..4000u64 {
            let mut exemplars = Exemplars::default();
            // Slow ones first, so that only the random one can be of the others.
            for number in 0..10 {
                exemplars.call(&finished(round * 10 + number, 100 - number, Outcome::Ok));
            }
            let random = exemplars.0.at(BEGIN_NS / 1_000_000_000 + round / 100 / 10 * 10).random;
            if let Some(kept) = random {
                counts[(kept.span_id % 10 / 3) as usize] += 1;
            }
        }
        assert!(counts[..3].iter().all(|count| (900..1500).contains(count)), "{counts:?}");
    }
}
