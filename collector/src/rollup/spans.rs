//! The way of a span into the fold: from the bytes of a batch to a finished call, an attempt, or a notice.

use spanmill_proto::otlp::{request, resource_spans, scope_spans};
use spanmill_proto::wire::{Fields, Malformed};

use super::counts::Sample;
use super::fold::{Arrival, Ended, Fold, Origin};
use super::latency::bucket;
use super::name::{Clues, Operation};
use super::observed::{Labels, Open};
use super::outcome;
use super::providers::Providers;
use super::span::{self, Call, Resource};
use super::weight::weight;
use crate::mask::MaskedBatch;

impl Fold {
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

    /// Takes the notices of a batch, which come past the journal: after a restart nothing is known to be open. The
    /// spans come with the journal.
    pub fn notices(&mut self, batch: &MaskedBatch) {
        let arrival = self.arrival(batch.received_unix_ns());
        let only_notices = Arrival { only_notices: true, ..arrival };
        // What is malformed was refused by the mask stage.
        let _ = self.request(batch.bytes(), only_notices);
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
                match (call.is_pending, arrival.only_notices) {
                    (true, _) => self.pending(&call, origin, arrival),
                    (false, true) => {}
                    (false, false) => self.call(&call, origin, arrival)?,
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
        self.stats.notices += 1;
        let (trace_id, span_id) = call.id_of_pending();
        let started_unix_ns = call.start_ns.saturating_sub(origin.ahead_ns);
        self.open.pending.begin(Open { labels, started_unix_ns, trace_id, span_id }, arrival.unix_ns);
    }
}
