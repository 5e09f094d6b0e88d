//! Calls that have begun and not ended, as clients on this host, other hosts and early notices of spans tell them.
//!
//! Each source says once a second all that it knows; one that falls silent is not believed any more.

use std::collections::{HashMap, HashSet};

use super::fold::Fold;
use super::host;
use super::name::{Clues, Operation};
use super::observed::{Labels, Name, Open};
use super::pending::Pending;

/// Calls of one source at most: 1,024 slots in each of 64 Rust processes. More are counted and left out.
const OPEN_MAX: usize = 65_536;
/// A source speaks once a second; after this it has gone.
const SILENT_NS: u64 = 5_000_000_000;

/// Who tells of open calls. Each replaces what it said before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Open-call pages of clients on this host.
    Pages,
    /// `Pulse` of services on other hosts.
    Pulse,
}

/// Whom an open call goes to, as its client knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpenPeer {
    /// A provider's name, or an alias of one.
    Name(String),
    /// `host`, `host:port` or `[v6]:port`.
    Address(String),
}

/// One open call, before the registry has named its provider.
#[derive(Debug, Clone)]
pub struct OpenCall {
    pub peer: OpenPeer,
    pub operation: String,
    pub service: String,
    pub host: String,
    /// Value of `deployment.environment.name`; empty = production.
    pub environment: String,
    /// Zero where the source does not know it.
    pub trace_id: [u8; 16],
    pub span_id: u64,
    pub started_unix_ns: u64,
}

#[derive(Debug, Default)]
struct Told {
    at_ns: u64,
    calls: Vec<Open>,
}

/// What all sources say.
#[derive(Debug, Default)]
pub struct OpenCalls {
    told: [Option<Told>; 2],
    pub pending: Pending,
    /// Calls that were told beyond the bounds.
    lost: u64,
}

impl OpenCalls {
    pub fn lost(&self) -> u64 {
        self.lost + self.pending.lost()
    }

    /// All calls in flight, each once; `None` while nobody tells us of any.
    pub fn all(&self) -> Option<Vec<Open>> {
        if self.told.iter().all(Option::is_none) && !self.pending.is_source() {
            return None;
        }
        let told = self.told.iter().flatten().flat_map(|told| told.calls.iter().copied());
        let mut seen = HashSet::new();
        let mut is_new = |open: &Open| open.span_id == 0 || seen.insert((open.trace_id, open.span_id));
        Some(told.chain(self.pending.calls()).filter(|open| is_new(open)).collect())
    }

    fn tick(&mut self, now_ns: u64) {
        for told in &mut self.told {
            if told.as_ref().is_some_and(|told| told.at_ns + SILENT_NS < now_ns) {
                *told = None;
            }
        }
        self.pending.tick(now_ns);
    }
}

impl Fold {
    /// Takes all that `source` says is open now.
    pub fn open_calls(&mut self, source: Source, now_ns: u64, calls: &[OpenCall]) {
        self.open.lost += calls.len().saturating_sub(OPEN_MAX) as u64;
        let calls = calls.iter().take(OPEN_MAX).filter_map(|call| self.named(call)).collect();
        self.open.told[source as usize] = Some(Told { at_ns: now_ns, calls });
        self.count_open(now_ns);
    }

    /// The provider of an open call is found as that of a span.
    fn named(&mut self, call: &OpenCall) -> Option<Open> {
        let mut clues = Clues::default();
        match &call.peer {
            OpenPeer::Name(name) => clues.provider = name.as_bytes(),
            OpenPeer::Address(address) => (clues.host, clues.port) = host::split_port(address.as_bytes()),
        }
        let environment = Some(call.environment.as_bytes()).filter(|text| !text.is_empty());
        let environment = self.providers.environments.number(environment);
        let target = self.providers.target(&clues, environment, &self.registry);
        let names = &mut self.providers.names;
        let provider = &mut self.providers.list[target.provider?];
        let operation = Operation { first: call.operation.as_bytes(), second: b"" };
        let operation = provider.operations.number(&operation, names);
        let labels = Labels {
            provider: provider.label,
            operation: provider.operations.label(operation),
            service: names.free(call.service.as_bytes()),
            host: names.free(call.host.as_bytes()),
            endpoint: target.endpoint,
        };
        let OpenCall { started_unix_ns, trace_id, span_id, .. } = *call;
        Some(Open { labels, started_unix_ns, trace_id, span_id })
    }

    /// Counts what is in flight, once a second and whenever a source has spoken.
    pub(super) fn count_open(&mut self, now_ns: u64) {
        self.open.tick(now_ns);
        let Some(calls) = self.open.all() else {
            self.providers.list.iter_mut().for_each(|provider| provider.flight.ground());
            return;
        };
        self.providers.list.iter_mut().for_each(|provider| provider.flight.begin(now_ns));
        let places = self.providers.list.iter().enumerate();
        let places: HashMap<Name, usize> = places.map(|(at, provider)| (provider.label, at)).collect();
        for open in calls {
            // One that lost its place on the board since is not shown.
            if let Some(&at) = places.get(&open.labels.provider) {
                let age_ns = now_ns.saturating_sub(open.started_unix_ns);
                self.providers.at(at).flight.add(now_ns, age_ns);
            }
        }
        self.providers.list.iter_mut().for_each(|provider| provider.flight.end(now_ns));
    }
}

#[cfg(test)]
#[path = "open_tests.rs"]
mod tests;
