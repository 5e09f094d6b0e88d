//! The fold over the journal's records: a batch in, the providers' windows and counters changed.
//!
//! Knows no thread and no clock of its own, so the same records always give the same figures.

use std::sync::Arc;

use spanmill_proto::otlp::{request, resource_spans, scope_spans};
use spanmill_proto::wire::{Fields, Malformed};

use super::cache::{Cache, Target};
use super::counts::Sample;
use super::environment::Environments;
use super::name::{self, Clues, Operation};
use super::names::{NameTable, Texts};
use super::observed::{Finished, Labels, Name, Observed, Unseen};
use super::outcome;
use super::providers::Providers;
use super::registry::Registry;
use super::settled::Settling;
use super::span::{self, Call, Resource};
use super::weight::{self, weight};
use super::window::{SECONDS, Sum};
use super::{Config, Stats, Totals};
use crate::mask::MaskedBatch;

/// A span that ended this long before it arrived is late: SDKs batch for 5 s, queues hold some more.
const LATE_NS: u64 = 30_000_000_000;
/// A clock that is ahead by less is not worth a word.
const AHEAD_NS: u64 = 2_000_000_000;
/// What ended earlier has no slot left.
const TOO_LATE_NS: u64 = SECONDS * 1_000_000_000;
/// Calls of before the start that the detector is shown: the longest of its windows.
const SHOWN_AGAIN_NS: u64 = 60_000_000_000;

#[derive(Debug)]
pub struct Fold {
    pub(super) registry: Registry,
    pub(super) environments: Environments,
    pub(super) names: NameTable,
    pub(super) cache: Cache,
    pub(super) providers: Providers,
    pub(super) settling: Settling,
    stats: Stats,
    /// Records that arrived before are in the windows, not in the counters: an earlier process counted them.
    started_unix_ns: u64,
    pub(super) unseen: Unseen,
    pub(super) sum: Sum,
}

/// What is the same for all spans of a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    unix_ns: u64,
    /// It is in the counters.
    is_new: bool,
    /// The detector is shown it.
    is_shown: bool,
}

/// What is the same for all spans of a resource.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Origin {
    environment: u8,
    service: Name,
    host: Name,
}

/// When a call ended, for the windows.
#[derive(Debug, Clone, Copy)]
struct End {
    unix_ns: u64,
    is_late: bool,
}

/// One finished call by its names, from elsewhere than a span: a recorded event.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    pub provider: &'a str,
    pub operation: &'a str,
    pub service: &'a str,
    pub host: &'a str,
    pub endpoint: &'a str,
    pub outcome: outcome::Outcome,
    /// By the clock of the host.
    pub end_unix_ns: u64,
    pub duration_ns: u64,
    /// By ours.
    pub received_unix_ns: u64,
    pub trace_id: [u8; 16],
    pub span_id: u64,
}

/// What a finished call is, however it came.
struct Ended {
    at: usize,
    operation: usize,
    labels: Labels,
    outcome: outcome::Outcome,
    converts: bool,
    end: End,
    duration_ns: u64,
    weight: u64,
    trace_id: [u8; 16],
    span_id: u64,
}

impl Fold {
    pub fn new(config: Config, started_unix_ns: u64) -> Fold {
        let mut fold = Fold {
            registry: Registry::new(config.registry),
            environments: Environments::new(&config.production),
            names: NameTable::default(),
            cache: Cache::default(),
            providers: Providers::new(config.providers_max, config.operations_max),
            settling: Settling::default(),
            stats: Stats::default(),
            started_unix_ns,
            unseen: Unseen::default(),
            sum: Sum::default(),
        };
        fold.providers.reserve(&fold.registry, &mut fold.names);
        fold
    }

    pub fn stats(&self) -> Stats {
        Stats { unsaved_windows: self.settling.lost(), ..self.stats }
    }

    /// `spans` in all could not be read from the journal.
    pub fn missed(&mut self, spans: u64) {
        self.stats.missed = spans;
    }

    pub fn totals(&self) -> Vec<Totals> {
        self.providers.list().iter().map(|provider| provider.totals()).collect()
    }

    /// The texts of the names that [`Fold::observed`] gives as numbers.
    pub fn texts(&self) -> Arc<Texts> {
        self.names.texts()
    }

    /// What has finished since this was last asked.
    pub fn observed(&mut self) -> Observed {
        let (finished, lost) = self.unseen.take();
        Observed { finished, open: None, lost }
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

    /// Adds one finished call that is no span, by the same rules.
    pub fn record(&mut self, event: &Event<'_>) {
        let arrival = self.arrival(event.received_unix_ns);
        let origin = Origin {
            environment: 0,
            service: self.names.free(event.service.as_bytes()),
            host: self.names.free(event.host.as_bytes()),
        };
        let Some(at) = self.providers.by_name(event.provider, &self.registry, &mut self.names) else {
            return;
        };
        let Some(end) = self.end(event.end_unix_ns, arrival) else { return };
        self.stats.rolled_up += 1;
        let provider = self.providers.at(at);
        let operation = Operation { first: event.operation.as_bytes(), second: b"" };
        let operation = provider.operations.number(&operation, &mut self.names);
        let converts = provider.operations.converts(operation, true);
        let labels = Labels {
            provider: provider.label,
            operation: provider.operations.label(operation),
            service: origin.service,
            host: origin.host,
            endpoint: self.names.free(event.endpoint.as_bytes()),
        };
        let ended = Ended {
            at,
            operation,
            labels,
            outcome: event.outcome,
            converts,
            end,
            duration_ns: event.duration_ns,
            weight: weight::ONE,
            trace_id: event.trace_id,
            span_id: event.span_id,
        };
        self.ended(&ended, arrival);
    }

    /// The names of a call that has begun, from elsewhere than a span, as [`Fold::record`] will name its end. The
    /// outcome, the times and the ids of `event` are not looked at.
    pub fn labels(&mut self, event: &Event<'_>) -> Option<Labels> {
        let at = self.providers.by_name(event.provider, &self.registry, &mut self.names)?;
        let provider = self.providers.at(at);
        // What is not told yet is no operation called "".
        let operation = match event.operation {
            "" => Name::NONE,
            first => {
                let operation = Operation { first: first.as_bytes(), second: b"" };
                let operation = provider.operations.number(&operation, &mut self.names);
                provider.operations.label(operation)
            }
        };
        let provider = provider.label;
        Some(Labels {
            provider,
            operation,
            service: self.names.free(event.service.as_bytes()),
            host: self.names.free(event.host.as_bytes()),
            endpoint: self.names.free(event.endpoint.as_bytes()),
        })
    }

    fn arrival(&self, unix_ns: u64) -> Arrival {
        let is_new = unix_ns >= self.started_unix_ns;
        Arrival { unix_ns, is_new, is_shown: unix_ns + SHOWN_AGAIN_NS >= self.started_unix_ns }
    }

    fn request(&mut self, message: &[u8], arrival: Arrival) -> Result<(), Malformed> {
        let mut fields = Fields::of(message);
        while let Some(resource_spans) = fields.next()? {
            if resource_spans.number != request::RESOURCE_SPANS {
                continue;
            }
            let resource = Resource::read(&resource_spans)?;
            let origin = Origin {
                environment: self.environments.number(resource.environment.get()),
                service: self.names.free(resource.service.unwrap_or_default()),
                host: self.names.free(resource.host.unwrap_or_default()),
            };
            let mut fields = resource_spans.message()?;
            while let Some(scope_spans) = fields.next()? {
                if scope_spans.number == resource_spans::SCOPE_SPANS {
                    self.scope(scope_spans.message()?, origin, arrival)?;
                }
            }
        }
        Ok(())
    }

    fn scope(&mut self, mut fields: Fields<'_>, origin: Origin, arrival: Arrival) -> Result<(), Malformed> {
        while let Some(field) = fields.next()? {
            if field.number == scope_spans::SPANS
                && let Some(call) = span::read(field.bytes()?)?
            {
                self.call(&call, origin, arrival)?;
            }
        }
        Ok(())
    }

    fn call(&mut self, call: &Call<'_>, origin: Origin, arrival: Arrival) -> Result<(), Malformed> {
        let target = self.target(call, origin.environment);
        let Some(at) = target.provider else { return Ok(()) };
        self.stats.name_conflicts += u64::from(target.conflict);
        let Some(end) = self.end(call.end_ns, arrival) else { return Ok(()) };
        self.stats.rolled_up += 1;
        let weight = weight(call.trace_state);
        let provider = self.providers.at(at);
        if call.is_attempt {
            let calls = provider.carry.attempts(weight);
            provider.window.attempt(end.unix_ns / 1_000_000_000, calls, end.is_late);
            return Ok(());
        }
        let table = provider.registered.map(|table| self.registry.provider(table));
        let verdict = outcome::decide(call, table)?;
        let operation = provider.operations.number(&Operation::of(call, table), &mut self.names);
        let converts = provider.operations.converts(operation, verdict.because.is_business());
        self.stats.backwards += u64::from(call.end_ns < call.start_ns);
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
            converts,
            end,
            duration_ns: call.end_ns.saturating_sub(call.start_ns),
            weight,
            trace_id: call.trace_id.try_into().unwrap_or_default(),
            span_id: call.span_id.try_into().map_or(0, u64::from_be_bytes),
        };
        self.ended(&ended, arrival);
        Ok(())
    }

    #[inline]
    fn ended(&mut self, ended: &Ended, arrival: Arrival) {
        let Ended { outcome, converts, duration_ns, weight, .. } = *ended;
        let provider = self.providers.at(ended.at);
        let calls = provider.carry.calls(outcome, weight);
        let sample = Sample { outcome, duration_ns, calls, converts };
        provider.call(ended.operation, ended.end.unix_ns, &sample, ended.end.is_late, arrival.is_new);
        if arrival.is_shown {
            self.unseen.push(Finished {
                labels: ended.labels,
                outcome,
                end_unix_ns: ended.end.unix_ns,
                duration_ns,
                received_unix_ns: arrival.unix_ns,
                trace_id: ended.trace_id,
                span_id: ended.span_id,
                weight,
                converts,
            });
        }
    }

    /// The time to count at: that of the end, unless that is too old (`None`) or lies ahead of the arrival.
    fn end(&mut self, end_ns: u64, arrival: Arrival) -> Option<End> {
        let age_ns = arrival.unix_ns.saturating_sub(end_ns);
        if age_ns > TOO_LATE_NS || end_ns / 1_000_000_000 < self.settling.floor_s() {
            self.stats.too_late += 1;
            return None;
        }
        let is_late = age_ns > LATE_NS;
        self.stats.late += u64::from(is_late);
        let is_ahead = end_ns > arrival.unix_ns.saturating_add(AHEAD_NS);
        self.stats.from_the_future += u64::from(is_ahead);
        Some(End { unix_ns: if is_ahead { arrival.unix_ns } else { end_ns }, is_late })
    }

    #[inline]
    fn target(&mut self, call: &Call<'_>, environment: u8) -> Target {
        let clues = Clues::of(&call.peer, &self.registry);
        if let Some(target) = self.cache.find(environment, &clues) {
            return target;
        }
        let named = name::name(&clues, &self.registry);
        let (environments, registry, names) = (&self.environments, &self.registry, &mut self.names);
        let target = Target {
            provider: self.providers.admit(&named.who, environment, environments, registry, names),
            endpoint: clues.endpoint().map_or(Name::NONE, |endpoint| names.free(endpoint.as_bytes())),
            conflict: named.conflict,
        };
        self.cache.remember(target);
        target
    }

    /// Once a second: old seconds go, and with them the providers that had no call for 15 min.
    pub fn tick(&mut self, now_ns: u64) {
        let now_s = now_ns / 1_000_000_000;
        self.settle(now_s);
        if self.providers.forget_idle() {
            // The places have moved.
            self.cache.clear();
        }
    }
}

#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
