//! The fold over the journal's records: a batch in, the providers' windows and counters changed.
//!
//! Knows no thread and no clock of its own, so the same records always give the same figures.

use std::sync::Arc;

use spanmill_proto::otlp::{request, resource_spans, scope_spans};
use spanmill_proto::wire::{Fields, Malformed};

use super::counts::Sample;
use super::latency::bucket;
use super::name::{Clues, Operation};
use super::names::Texts;
use super::observed::{Finished, Labels, Name, Observed, Open, Unseen};
use super::open::OpenCalls;
use super::outcome::{self, Outcome};
use super::providers::Providers;
use super::registry::Registry;
use super::settled::Settling;
use super::skew::{AHEAD_NS, Skews};
use super::span::{self, Call, Resource};
use super::unmapped::Unmapped;
use super::weight::weight;
use super::window::{SECONDS, Sum};
use super::{Config, Stats};
use crate::mask::MaskedBatch;

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
    is_new: bool,
    /// The detector is shown it.
    is_shown: bool,
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

    /// Adds all spans of a batch. The mask stage has checked that it is well-formed; should it not be, the
    /// rest of it is left out and that is counted.
    pub fn add(&mut self, batch: &MaskedBatch) {
        let arrival = self.arrival(batch.received_unix_ns());
        let before = self.stats;
        self.stats.spans += u64::from(batch.spans());
        if self.request(batch.bytes(), arrival).is_err() {
            self.stats.unreadable_batches += 1;
        }
        if !arrival.is_new {
            self.stats = before;
        }
    }

    pub(super) fn arrival(&self, unix_ns: u64) -> Arrival {
        let is_new = unix_ns >= self.started_unix_ns;
        Arrival { unix_ns, is_new, is_shown: unix_ns + SHOWN_AGAIN_NS >= self.started_unix_ns }
    }

    fn request(&mut self, message: &[u8], arrival: Arrival) -> Result<(), Malformed> {
        let mut fields = Fields::of(message);
        while let Some(resource_spans) = fields.next()? {
            if resource_spans.number != request::RESOURCE_SPANS {
                continue;
            }
            let mut origin = self.origin(&Resource::read(&resource_spans)?);
            let mut fields = resource_spans.message()?;
            while let Some(scope_spans) = fields.next()? {
                if scope_spans.number == resource_spans::SCOPE_SPANS {
                    self.scope(scope_spans.message()?, &mut origin, arrival)?;
                }
            }
            if origin.newest_ns > 0 {
                self.skews.saw(origin.host, arrival.unix_ns, origin.newest_ns);
            }
        }
        Ok(())
    }

    fn origin(&mut self, resource: &Resource<'_>) -> Origin {
        let Providers { names, environments, .. } = &mut self.providers;
        let host = names.free(resource.host.unwrap_or_default());
        Origin {
            environment: environments.number(resource.environment.get()),
            service: names.free(resource.service.unwrap_or_default()),
            host,
            ahead_ns: self.skews.ahead_ns(host),
            newest_ns: 0,
        }
    }

    fn scope(
        &mut self,
        mut fields: Fields<'_>,
        origin: &mut Origin,
        arrival: Arrival,
    ) -> Result<(), Malformed> {
        while let Some(field) = fields.next()? {
            if field.number == scope_spans::SPANS
                && let Some(call) = span::read(field.bytes()?)?
            {
                match call.is_pending {
                    true => self.pending(&call, origin, arrival),
                    false => self.call(&call, origin, arrival)?,
                }
            }
        }
        Ok(())
    }

    fn call(&mut self, call: &Call<'_>, origin: &mut Origin, arrival: Arrival) -> Result<(), Malformed> {
        let clues = Clues::of(&call.peer, &self.registry);
        let target = self.providers.target(&clues, origin.environment, &self.registry);
        let Some(at) = target.provider else { return Ok(()) };
        let (trace_id, span_id) = call.id();
        if !self.open.pending.is_empty() {
            self.open.pending.end(trace_id, span_id);
        }
        self.stats.name_conflicts += u64::from(target.conflict);
        let Some(end) = self.end(call.end_ns, origin, arrival) else { return Ok(()) };
        self.stats.rolled_up += 1;
        self.stats.backwards += u64::from(call.end_ns < call.start_ns);
        let Providers { list, names, .. } = &mut self.providers;
        let provider = &mut list[at];
        let table = provider.registered.map(|table| self.registry.provider(table));
        let verdict = outcome::decide(call, table)?;
        let operation = provider.operations.number(&Operation::of(call, table), names);
        let labels = Labels {
            provider: provider.label,
            operation: provider.operations.label(operation),
            service: origin.service,
            host: origin.host,
            endpoint: target.endpoint,
        };
        let ended = Ended {
            at,
            operation,
            labels,
            outcome: verdict.outcome,
            converts: provider.operations.converts(operation, verdict.because.is_business()),
            end,
            duration_ns: call.end_ns.saturating_sub(call.start_ns),
            weight: weight(call.trace_state),
            trace_id,
            span_id,
        };
        if call.is_attempt {
            self.attempt(&ended);
            return Ok(());
        }
        let calls = self.ended(&ended, arrival);
        if let Some(host) = target.unmapped {
            self.unmapped.saw(host, origin.service, calls);
        }
        Ok(())
    }

    /// An attempt counts in `attempts` and to its endpoint, and is nothing else.
    fn attempt(&mut self, ended: &Ended) {
        let Ended { outcome, duration_ns, weight, .. } = *ended;
        let provider = self.providers.at(ended.at);
        let calls = provider.carry.attempts(weight);
        let end_s = ended.end.unix_ns / 1_000_000_000;
        provider.window.attempt(end_s, calls, ended.end.is_late);
        let sample = Sample { outcome, duration_ns, bucket: bucket(duration_ns), calls, converts: false };
        provider.breakdown.attempt(ended.labels.endpoint, end_s, &sample);
    }

    /// A notice that a call has begun.
    fn pending(&mut self, call: &Call<'_>, origin: &Origin, arrival: Arrival) {
        let clues = Clues::of(&call.peer, &self.registry);
        let target = self.providers.target(&clues, origin.environment, &self.registry);
        let Some(at) = target.provider else { return };
        let Providers { list, names, .. } = &mut self.providers;
        let provider = &mut list[at];
        let table = provider.registered.map(|table| self.registry.provider(table));
        let operation = provider.operations.number(&Operation::of(call, table), names);
        let labels = Labels {
            provider: provider.label,
            operation: provider.operations.label(operation),
            service: origin.service,
            host: origin.host,
            endpoint: target.endpoint,
        };
        let (trace_id, span_id) = call.id_of_pending();
        let started_unix_ns = call.start_ns.saturating_sub(origin.ahead_ns);
        self.open.pending.begin(Open { labels, started_unix_ns, trace_id, span_id }, arrival.unix_ns);
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
#[path = "fold_tests.rs"]
mod tests;
