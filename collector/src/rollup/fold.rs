//! The fold over the journal's records: a batch in, the providers' windows and counters changed.
//!
//! Knows no thread and no clock of its own, so the same records always give the same figures.

use std::sync::Arc;

use super::counts::Sample;
use super::latency::bucket;
use super::names::Texts;
use super::observed::{Finished, Labels, Name, Observed, Unseen};
use super::open::OpenCalls;
use super::outcome::Outcome;
use super::providers::Providers;
use super::registry::Registry;
use super::settled::Settling;
use super::skew::{AHEAD_NS, Skews};
use super::unmapped::Unmapped;
use super::window::{SECONDS, Sum};
use super::{Config, Stats};

/// A span that ended this long before it arrived is late: SDKs batch for 5 s, queues hold some more.
const LATE_NS: u64 = 30_000_000_000;
/// What ended earlier has no slot left.
const TOO_LATE_NS: u64 = SECONDS * 1_000_000_000;
/// Calls of before the start that the detector is shown: the longest of its windows.
const SHOWN_AGAIN_NS: u64 = 60_000_000_000;

#[derive(Debug)]
pub struct Fold {
    pub(super) registry: Registry,
    pub(super) providers: Providers,
    pub(super) skews: Skews,
    pub(super) settling: Settling,
    pub(super) open: OpenCalls,
    pub(super) unmapped: Unmapped,
    pub(super) stats: Stats,
    /// Records that arrived before are in the windows, not in the counters: an earlier process counted them.
    started_unix_ns: u64,
    unseen: Unseen,
    pub(super) sum: Sum,
}

/// What is the same for all spans of a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    pub unix_ns: u64,
    /// It is in the counters.
    pub is_new: bool,
    /// The detector is shown it.
    pub is_shown: bool,
    /// Its spans come with the journal.
    pub only_notices: bool,
}

/// What is the same for all spans of a resource.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Origin {
    pub environment: u8,
    pub service: Name,
    pub host: Name,
    /// By how much the host's clock is ahead.
    pub ahead_ns: u64,
    /// The newest end that the host has sent, by its clock.
    pub newest_ns: u64,
}

/// When a call ended, by our clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    pub unix_ns: u64,
    pub is_late: bool,
}

/// One finished call, however it came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended {
    /// Place of its provider.
    pub at: usize,
    /// Number among the provider's operations.
    pub operation: usize,
    pub labels: Labels,
    pub outcome: Outcome,
    pub converts: bool,
    pub end: End,
    pub duration_ns: u64,
    pub weight: u64,
    pub trace_id: [u8; 16],
    pub span_id: u64,
}

impl Fold {
    pub fn new(config: Config, started_unix_ns: u64) -> Fold {
        let mut fold = Fold {
            registry: Registry::new(config.registry),
            providers: Providers::new(config.providers_max, config.operations_max, &config.production),
            skews: Skews::default(),
            settling: Settling::default(),
            open: OpenCalls::default(),
            unmapped: Unmapped::default(),
            stats: Stats::default(),
            started_unix_ns,
            unseen: Unseen::default(),
            sum: Sum::default(),
        };
        fold.providers.reserve(&fold.registry);
        fold
    }

    pub fn stats(&self) -> Stats {
        Stats {
            unsaved_windows: self.settling.lost(),
            open_calls_lost: self.open.lost(),
            providers_replaced: self.providers.replaced,
            ..self.stats
        }
    }

    /// `spans` in all could not be read from the journal.
    pub fn missed(&mut self, spans: u64) {
        self.stats.missed = spans;
    }

    /// The texts of the names that [`Fold::observed`] gives as numbers.
    pub fn texts(&self) -> Arc<Texts> {
        self.providers.names.texts()
    }

    /// What has finished since this was last asked.
    pub fn observed(&mut self) -> Observed {
        let (finished, lost) = self.unseen.take();
        Observed { finished, open: self.open.all(), lost }
    }

    pub(super) fn arrival(&self, unix_ns: u64) -> Arrival {
        let is_new = unix_ns >= self.started_unix_ns;
        let is_shown = unix_ns + SHOWN_AGAIN_NS >= self.started_unix_ns;
        Arrival { unix_ns, is_new, is_shown, only_notices: false }
    }

    /// Counts a finished call; as how many.
    #[inline]
    pub(super) fn ended(&mut self, ended: &Ended, arrival: Arrival) -> u64 {
        let Ended { outcome, converts, duration_ns, weight, end, .. } = *ended;
        let provider = self.providers.at(ended.at);
        let calls = provider.carry.calls(outcome, weight);
        let sample = Sample { outcome, duration_ns, bucket: bucket(duration_ns), calls, converts };
        provider.call(ended.operation, end.unix_ns, &sample, end.is_late, arrival.is_new);
        provider.breakdown.call(&ended.labels, end.unix_ns / 1_000_000_000, &sample);
        let finished = Finished {
            labels: ended.labels,
            outcome,
            end_unix_ns: end.unix_ns,
            duration_ns,
            received_unix_ns: arrival.unix_ns,
            trace_id: ended.trace_id,
            span_id: ended.span_id,
            weight,
            converts,
        };
        // What is kept would be pinned for the forwarder, through pipeline.rs, if it ever left out anything.
        provider.exemplars.call(&finished);
        if arrival.is_shown {
            self.unseen.push(finished);
        }
        calls
    }

    /// The time to count at: that of the end, by the clock put right, unless that is too old (`None`) or lies
    /// ahead of the arrival all the same.
    pub(super) fn end(&mut self, end_ns: u64, origin: &mut Origin, arrival: Arrival) -> Option<End> {
        origin.newest_ns = origin.newest_ns.max(end_ns);
        let latest_ns = arrival.unix_ns.saturating_add(AHEAD_NS);
        if end_ns > latest_ns {
            self.stats.from_the_future += 1;
            if end_ns.saturating_sub(origin.ahead_ns) > latest_ns {
                origin.ahead_ns = self.skews.saw(origin.host, arrival.unix_ns, end_ns);
            }
        }
        let right_ns = end_ns.saturating_sub(origin.ahead_ns);
        let unix_ns = if right_ns > latest_ns { arrival.unix_ns } else { right_ns };
        let age_ns = arrival.unix_ns.saturating_sub(unix_ns);
        if age_ns > TOO_LATE_NS || unix_ns / 1_000_000_000 < self.settling.floor_s() {
            self.stats.too_late += 1;
            return None;
        }
        let is_late = age_ns > LATE_NS;
        self.stats.late += u64::from(is_late);
        Some(End { unix_ns, is_late })
    }

    /// Once a second: old seconds go, and with them the providers that had no call for 15 min.
    pub fn tick(&mut self, now_ns: u64) {
        let now_s = now_ns / 1_000_000_000;
        self.skews.tick(now_s);
        self.unmapped.tick(now_s);
        self.count_open(now_ns);
        self.settle(now_s);
    }

    /// Another registry from now on. What was counted before stays with the name that it had then.
    pub fn reload(&mut self, registry: super::registry::Config) {
        self.registry = Registry::new(registry);
        self.providers.reload(&self.registry);
        self.unmapped.clear();
    }
}

#[cfg(test)]
#[path = "bounds_tests.rs"]
mod bounds_tests;
#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
