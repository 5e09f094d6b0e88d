//! Ours or theirs: is it everyone, or one host, endpoint, operation or service?

use super::channel::SLOW;
use super::cusum::{Count, FIRES_AT, fires};
use super::provider::Provider;
use super::sources::{Dimension, SOURCE_FIRES_AT};
use crate::rollup::Name;

/// The source must hold more than this of the bad calls.
const HELD: f64 = 0.4;
/// What the others may say at most, to be called well.
const REST_MAX: f64 = FIRES_AT / 4.0;
/// Calls that a share of slow ones needs to be one.
const SHARE_CALLS: u32 = 8;

/// A source that an incident is limited to.
pub type Inside = (Dimension, Name);

impl Provider {
    /// Leaves out each source in turn: the one without which nothing is wrong.
    pub fn scope(&self, channel: usize) -> Option<Inside> {
        let test = self.tests?[channel];
        let all = self.since[channel];
        let mut best: Option<(f64, Inside)> = None;
        for dimension in Dimension::ALL {
            let sources = &self.sources[dimension as usize];
            for (name, source) in sources.iter().filter(|(name, _)| *name != Name::NONE) {
                let own = source.channels[channel].since;
                let held = f64::from(own.bad) / f64::from(all.bad.max(1));
                let rest = all.minus(own);
                // Others who had been hit as well would have shown it by now.
                let is_control =
                    f64::from(rest.calls()) * test.expected(own.share()) >= REST_MAX && rest.calls() >= 5;
                if held <= HELD || !is_control || test.evidence(rest) >= REST_MAX {
                    continue;
                }
                let score = held.min(1.0) * own.share();
                if best.is_none_or(|(highest, _)| score > highest) {
                    best = Some((score, (dimension, name)));
                }
            }
        }
        best.map(|(_, inside)| inside)
    }

    /// A source that is in trouble while the provider as a whole does not show it.
    pub fn lone_source(&self) -> Option<(usize, Inside)> {
        let tests = self.tests?;
        let mut best: Option<(f64, (usize, Inside))> = None;
        for dimension in Dimension::ALL {
            let sources = &self.sources[dimension as usize];
            if sources.len() < 2 {
                continue;
            }
            for (name, source) in sources.iter().filter(|(name, _)| *name != Name::NONE) {
                for (channel, test) in tests.iter().enumerate() {
                    let evidence = &source.channels[channel];
                    if evidence.sum < SOURCE_FIRES_AT - 1e-6 || evidence.usual().is_none() {
                        continue;
                    }
                    let is_shift = channel != SLOW || self.is_shifted(evidence.since);
                    let rest = self.recent_count(channel).minus(evidence.since);
                    if !is_shift || fires(test.evidence(rest)) {
                        continue;
                    }
                    let score = evidence.since.share();
                    if best.is_none_or(|(highest, _)| score > highest) {
                        best = Some((score, (channel, (dimension, name))));
                    }
                }
            }
        }
        best.map(|(_, found)| found)
    }

    /// The guard of the latency channel: the share of slow calls is that of a slowdown by `min_ratio` or more.
    pub fn is_shifted(&self, count: Count) -> bool {
        // A few fast ones among the slow ones take nothing away.
        let needed = self.slow_at_ratio.min(0.8) * 0.95;
        count.calls() >= SHARE_CALLS && count.share() >= needed
    }

    /// The calls of the last 10 s, or of as many seconds as it takes to have eight.
    pub fn latest_count(&self, channel: usize) -> Count {
        let mut sum = Count::default();
        let mut newest = None;
        for slot in self.slots.iter().rev() {
            let newest = *newest.get_or_insert(slot.second);
            if newest - slot.second >= 10 && sum.calls() >= SHARE_CALLS {
                return sum;
            }
            sum = sum.plus(slot.counts[channel]);
        }
        if sum.calls() >= SHARE_CALLS { sum } else { self.since[channel] }
    }

    /// The calls of the last half minute.
    fn recent_count(&self, channel: usize) -> Count {
        self.slots.iter().fold(Count::default(), |sum, slot| sum.plus(slot.counts[channel]))
    }
}
