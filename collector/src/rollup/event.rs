//! Finished calls that are no spans: events that were recorded, replayed by the same rules.

use super::fold::{Ended, Fold, Origin};
use super::name::Operation;
use super::observed::Labels;
use super::outcome::Outcome;
use super::providers::Providers;
use super::weight;

/// One finished call by its names; what is not known is empty.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    pub provider: &'a str,
    pub operation: &'a str,
    pub service: &'a str,
    pub host: &'a str,
    pub endpoint: &'a str,
    pub outcome: Outcome,
    /// By the clock of the host.
    pub end_unix_ns: u64,
    pub duration_ns: u64,
    /// By ours.
    pub received_unix_ns: u64,
    pub trace_id: [u8; 16],
    pub span_id: u64,
}

impl Fold {
    /// Adds one finished call that is no span. It says how the business went, so it counts for conversion.
    pub fn record(&mut self, event: &Event<'_>) {
        let arrival = self.arrival(event.received_unix_ns);
        let Some(at) = self.providers.by_name(event.provider, &self.registry) else { return };
        let (operation, labels) = self.labels_at(at, event);
        let converts = self.providers.list[at].operations.converts(operation, true);
        let ahead_ns = self.skews.ahead_ns(labels.host);
        let mut origin = Origin { host: labels.host, ahead_ns, ..Origin::default() };
        let Some(end) = self.end(event.end_unix_ns, &mut origin, arrival) else { return };
        self.skews.saw(labels.host, arrival.unix_ns, event.end_unix_ns);
        self.stats.rolled_up += 1;
        let &Event { outcome, duration_ns, trace_id, span_id, .. } = event;
        let weight = weight::ONE;
        let ended =
            Ended { at, operation, labels, outcome, converts, end, duration_ns, weight, trace_id, span_id };
        self.ended(&ended, arrival);
    }
    /// The names of a call that has begun, as its end will have them; outcome, times and ids are not looked at.
    pub fn labels(&mut self, event: &Event<'_>) -> Option<Labels> {
        let at = self.providers.by_name(event.provider, &self.registry)?;
        Some(self.labels_at(at, event).1)
    }

    fn labels_at(&mut self, at: usize, event: &Event<'_>) -> (usize, Labels) {
        let Providers { list, names, .. } = &mut self.providers;
        let operations = &mut list[at].operations;
        let operation =
            operations.number(&Operation { first: event.operation.as_bytes(), second: b"" }, names);
        let labels = Labels {
            operation: operations.label(operation),
            provider: list[at].label,
            service: names.free(event.service.as_bytes()),
            host: names.free(event.host.as_bytes()),
            endpoint: names.free(event.endpoint.as_bytes()),
        };
        (operation, labels)
    }
}
