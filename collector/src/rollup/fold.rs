//! The fold over the journal's records: a batch in, the providers' windows and counters changed.
//!
//! Knows no thread and no clock of its own, so the same records always give the same figures.

use std::collections::HashMap;

use spanmill_proto::otlp::{request, resource_spans, scope_spans};
use spanmill_proto::wire::{Fields, Malformed};

use super::Config;
use super::cache::{Cache, Target};
use super::environment::Environments;
use super::name::{self, Clues, Operation, Who};
use super::operations::Operations;
use super::outcome;
use super::provider::Provider;
use super::registry::Registry;
use super::span::{self, Call, Resource};
use super::window::{SECONDS, Sample, Sum, Window};
use super::{Stats, Totals};
use crate::mask::MaskedBatch;

/// A span that ended this long before it arrived is late: SDKs batch for 5 s, queues hold some more.
const LATE_NS: u64 = 30_000_000_000;
/// A clock that is ahead by less is not worth a word.
const AHEAD_NS: u64 = 2_000_000_000;
/// What ended earlier has no slot left.
const TOO_LATE_NS: u64 = SECONDS * 1_000_000_000;
/// Where providers beyond the limit are counted.
const OTHER: &str = "_other";

#[derive(Debug)]
pub struct Fold {
    pub(super) registry: Registry,
    providers_max: usize,
    operations_max: usize,
    environments: Environments,
    cache: Cache,
    pub(super) providers: Vec<Provider>,
    pub(super) by_name: HashMap<String, usize>,
    stats: Stats,
    /// Records that arrived before are in the windows, not in the counters: an earlier process counted them.
    started_unix_ns: u64,
    pub(super) sum: Sum,
}

/// What is the same for all spans of a batch.
#[derive(Clone, Copy)]
struct Arrival {
    unix_ns: u64,
    is_new: bool,
}

impl Fold {
    pub fn new(config: Config, started_unix_ns: u64) -> Fold {
        let mut fold = Fold {
            registry: Registry::new(config.registry),
            providers_max: config.providers_max,
            operations_max: config.operations_max,
            environments: Environments::new(&config.production),
            cache: Cache::default(),
            providers: Vec::new(),
            by_name: HashMap::new(),
            stats: Stats::default(),
            started_unix_ns,
            sum: Sum::default(),
        };
        // Their places are reserved, and they are on the board before their first call.
        for table in 0..fold.registry.providers().len() {
            if !fold.registry.provider(table).internal {
                fold.admit(&Who::Registered(table), 0);
            }
        }
        fold
    }

    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// `spans` in all could not be read from the journal.
    pub fn missed(&mut self, spans: u64) {
        self.stats.missed = spans;
    }

    pub fn totals(&self) -> Vec<Totals> {
        self.providers.iter().map(Provider::totals).collect()
    }

    /// Adds all spans of a batch. The mask stage has checked that it is well-formed; should it not be, the
    /// rest of it is left out and that is counted.
    pub fn add(&mut self, batch: &MaskedBatch) {
        let unix_ns = batch.received_unix_ns();
        let arrival = Arrival { unix_ns, is_new: unix_ns >= self.started_unix_ns };
        let before = self.stats;
        self.stats.spans += u64::from(batch.spans());
        if self.request(batch.bytes(), arrival).is_err() {
            self.stats.unreadable_batches += 1;
        }
        if !arrival.is_new {
            self.stats = before;
        }
    }

    fn request(&mut self, message: &[u8], arrival: Arrival) -> Result<(), Malformed> {
        let mut fields = Fields::of(message);
        while let Some(resource_spans) = fields.next()? {
            if resource_spans.number != request::RESOURCE_SPANS {
                continue;
            }
            let resource = Resource::read(&resource_spans)?;
            let environment = self.environments.number(resource.environment.get());
            let mut fields = resource_spans.message()?;
            while let Some(scope_spans) = fields.next()? {
                if scope_spans.number == resource_spans::SCOPE_SPANS {
                    self.scope(scope_spans.message()?, environment, arrival)?;
                }
            }
        }
        Ok(())
    }

    fn scope(&mut self, mut fields: Fields<'_>, environment: u8, arrival: Arrival) -> Result<(), Malformed> {
        while let Some(field) = fields.next()? {
            if field.number == scope_spans::SPANS
                && let Some(call) = span::read(field.bytes()?)?
            {
                self.call(&call, environment, arrival)?;
            }
        }
        Ok(())
    }

    fn call(&mut self, call: &Call<'_>, environment: u8, arrival: Arrival) -> Result<(), Malformed> {
        let target = self.target(call, environment);
        let Some(provider) = target.provider else { return Ok(()) };
        self.stats.name_conflicts += u64::from(target.conflict);
        let Some(end_ns) = self.end(call, arrival.unix_ns) else { return Ok(()) };
        self.stats.rolled_up += 1;
        let provider = &mut self.providers[provider];
        if call.is_attempt {
            provider.window.attempt(end_ns / 1_000_000_000);
            return Ok(());
        }
        let table = provider.registered.map(|table| self.registry.provider(table));
        let verdict = outcome::decide(call, table)?;
        let operation = provider.operations.number(&Operation::of(call, table));
        let converts = provider.operations.converts(operation, verdict.because.is_business());
        self.stats.backwards += u64::from(call.end_ns < call.start_ns);
        let duration_ns = call.end_ns.saturating_sub(call.start_ns);
        let sample = Sample { outcome: verdict.outcome, duration_ns, converts };
        provider.call(operation, end_ns, &sample, arrival.is_new);
        Ok(())
    }

    /// The second to count in: that of the end, unless that is too old (`None`) or lies ahead of the arrival.
    fn end(&mut self, call: &Call<'_>, arrival_ns: u64) -> Option<u64> {
        let age_ns = arrival_ns.saturating_sub(call.end_ns);
        if age_ns > TOO_LATE_NS {
            self.stats.too_late += 1;
            return None;
        }
        self.stats.late += u64::from(age_ns > LATE_NS);
        let is_ahead = call.end_ns > arrival_ns.saturating_add(AHEAD_NS);
        self.stats.from_the_future += u64::from(is_ahead);
        Some(if is_ahead { arrival_ns } else { call.end_ns })
    }

    #[inline]
    fn target(&mut self, call: &Call<'_>, environment: u8) -> Target {
        let clues = Clues::of(&call.peer, &self.registry);
        if let Some(target) = self.cache.find(environment, &clues) {
            return target;
        }
        let named = name::name(&clues, &self.registry);
        let target = Target { provider: self.admit(&named.who, environment), conflict: named.conflict };
        self.cache.remember(target);
        target
    }

    /// The place of a provider; a new one takes the next while there is room, then `_other` is all there is.
    fn admit(&mut self, who: &Who, environment: u8) -> Option<usize> {
        let (name, table) = match who {
            Who::Internal => return None,
            Who::Discovered(name) => (name, None),
            Who::Registered(table) => (&self.registry.provider(*table).name, Some(*table)),
        };
        let name = self.environments.qualify(name, environment);
        if let Some(&at) = self.by_name.get(&name) {
            return Some(at);
        }
        let stays = table.is_some() && environment == 0;
        if stays || self.providers.len() < self.providers_max {
            return Some(self.insert(name, table, stays));
        }
        match self.by_name.get(OTHER) {
            Some(&at) => Some(at),
            None => Some(self.insert(OTHER.to_owned(), None, false)),
        }
    }

    fn insert(&mut self, name: String, registered: Option<usize>, stays: bool) -> usize {
        let conversion = registered.map(|table| self.registry.provider(table).conversion_operations.clone());
        self.by_name.insert(name.clone(), self.providers.len());
        self.providers.push(Provider {
            name,
            registered,
            stays,
            operations: Operations::new(self.operations_max, conversion.unwrap_or_default()),
            window: Window::default(),
            counters: Default::default(),
            last_ok_ns: 0,
        });
        self.providers.len() - 1
    }

    /// Once a second: old seconds go, and with them the providers that had no call for 15 min.
    pub fn tick(&mut self, now_ns: u64) {
        let now_s = now_ns / 1_000_000_000;
        for provider in &mut self.providers {
            provider.window.tick(now_s);
        }
        let before = self.providers.len();
        self.providers.retain(|provider| provider.stays || !provider.window.is_empty());
        if self.providers.len() < before {
            // The places have moved.
            self.cache.clear();
            let names = self.providers.iter().enumerate();
            self.by_name = names.map(|(at, provider)| (provider.name.clone(), at)).collect();
        }
    }
}

#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
