//! What the roll-up tells of one provider beside its figures: by whom, where and what, and calls to look at.

use serde::Serialize;

use super::breakdown::FINE_S;
use super::counts::Counts;
use super::dimension::{Dimension, Keys, RowSum};
use super::exemplar::Kind;
use super::figures::{ms, rfc3339};
use super::fold::Fold;
use super::host::Host;
use super::latency::Merged;
use super::observed::Name;
use super::provider::Provider;
use super::totals::{Totals, TotalsExemplar};
use super::unmapped;
use super::window::SECONDS;

/// Calls listed at most: more than anybody opens.
const EXEMPLARS_MAX: usize = 50;

/// One provider by one dimension; `other` are the keys without a row.
#[derive(Debug, Clone, Serialize)]
pub struct BreakdownTable {
    pub by: &'static str,
    pub rows: Vec<Row>,
    pub other: Part,
    /// Different keys in `other`.
    pub lost_keys: usize,
}

#[derive(Debug, Clone, Serialize)]
pub struct Row {
    pub key: String,
    #[serde(flatten)]
    pub part: Part,
}

/// What falls to one key.
#[derive(Debug, Clone, Serialize)]
pub struct Part {
    pub count: u64,
    /// Of all calls of the table; `None` at 0/0.
    pub share: Option<f64>,
    pub failure_ratio: Option<f64>,
    pub p50_ms: Option<f64>,
    pub p95_ms: Option<f64>,
    pub p99_ms: Option<f64>,
}

/// One call to look at.
#[derive(Debug, Clone, Serialize)]
pub struct Exemplar {
    pub trace_id: String,
    pub span_id: String,
    pub at: String,
    pub operation: String,
    pub service: String,
    pub host: String,
    pub ms: f64,
    pub outcome: &'static str,
}

/// A peer that no rule names.
#[derive(Debug, Clone, Serialize)]
pub struct UnmappedPeer {
    pub peer: String,
    pub count: u64,
    pub services: Vec<String>,
    /// The table to paste.
    pub rule: String,
}

/// Calls that `/metrics` shows beside the histograms are of the last minute.
const SHOWN_NS: u64 = 60_000_000_000;

impl Fold {
    /// Cumulative counters of all providers, with calls of the last minute to look at.
    pub fn totals(&self, now_ns: u64) -> Vec<Totals> {
        let of = |provider: &Provider| {
            let kept = provider.exemplars.list(Kind::Recent, now_ns.saturating_sub(SHOWN_NS), u64::MAX);
            let exemplars = kept.into_iter().map(|kept| TotalsExemplar {
                outcome: kept.outcome.name(),
                seconds: kept.duration_ns as f64 / 1e9,
                trace_id: hex_trace(kept.trace_id),
                span_id: hex_span(kept.span_id),
                at_s: (kept.end_unix_ns / 1_000_000) as f64 / 1e3,
            });
            let totals = provider.counters.totals(&provider.name, provider.operations.labels());
            Totals { exemplars: exemplars.collect(), ..totals }
        };
        self.providers.list.iter().map(of).collect()
    }

    /// The trailing `window_s` seconds of one provider, to 10 s, the busiest key first. `None`: no such provider.
    pub fn breakdown(&self, now_ns: u64, name: &str, by: Dimension, window_s: u64) -> Option<BreakdownTable> {
        let now_s = now_ns / 1_000_000_000;
        let keys = self.providers.find(name)?.breakdown.of(by);
        // The cell that the window begins in is part of it.
        let from = (now_s + 1).saturating_sub(window_s.min(SECONDS)) / FINE_S * FINE_S;
        let mut sum = RowSum::default();
        let rows: Vec<Row> = keys
            .keys(from, u64::MAX)
            .filter(|key| *key != Name::OTHER)
            .map(|key| Row { key: self.text(key), part: part(keys, key, from, &mut sum) })
            .collect();
        let other = part(keys, Name::OTHER, from, &mut sum);
        Some(BreakdownTable::of(by, rows, other, keys.lost()))
    }

    /// The heaviest sources of one provider's failures over the last minute, whatever their number.
    pub fn heaviest(&self, name: &str, by: Dimension) -> Option<Vec<(Name, u64)>> {
        Some(self.providers.find(name)?.breakdown.of(by).bad())
    }

    /// Calls of the trailing `window_s` seconds.
    pub fn exemplars(&self, now_ns: u64, name: &str, kind: Kind, window_s: u64) -> Option<Vec<Exemplar>> {
        let from_ns = now_ns.saturating_sub(window_s * 1_000_000_000);
        let kept = self.providers.find(name)?.exemplars.list(kind, from_ns, u64::MAX);
        let shown = kept.into_iter().take(EXEMPLARS_MAX).map(|kept| Exemplar {
            trace_id: hex_trace(kept.trace_id),
            span_id: hex_span(kept.span_id),
            at: rfc3339(kept.end_unix_ns),
            operation: self.text(kept.operation),
            service: self.text(kept.service),
            host: self.text(kept.host),
            ms: ms(kept.duration_ns),
            outcome: kept.outcome.name(),
        });
        Some(shown.collect())
    }

    /// Peers that no rule names, the busiest first.
    pub fn unmapped(&self) -> Vec<UnmappedPeer> {
        let peers = self.unmapped.list().into_iter().filter_map(|peer| {
            let host = Host::parse(self.providers.names.text(peer.host).as_bytes())?;
            Some(UnmappedPeer {
                rule: unmapped::rule(&host),
                peer: host.to_string(),
                count: peer.calls,
                services: peer.services.into_iter().map(|service| self.text(service)).collect(),
            })
        });
        peers.collect()
    }

    /// Hosts whose clock is off, with the seconds by which it is ahead (or, below zero, behind); the worst first.
    pub fn skews(&self) -> Vec<(String, f64)> {
        let mut skews: Vec<_> = self.skews.list().into_iter().map(|(host, s)| (self.text(host), s)).collect();
        skews.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()).then_with(|| a.0.cmp(&b.0)));
        skews
    }

    fn text(&self, name: Name) -> String {
        self.providers.names.text(name).to_owned()
    }
}

fn hex_trace(id: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(id))
}

fn hex_span(id: u64) -> String {
    format!("{id:016x}")
}

fn part(keys: &Keys, key: Name, from: u64, sum: &mut RowSum) -> Part {
    keys.sum_into(key, from, u64::MAX, sum);
    Part::of(&sum.counts, &sum.answered)
}

impl Part {
    /// Without a share, which is of the table.
    pub fn of(counts: &Counts, answered: &Merged) -> Part {
        let [p50_ms, p95_ms, p99_ms] = match answered.quantiles([0.5, 0.95, 0.99]) {
            Some(found) => found.map(|ns| Some(ms(ns.min(counts.max_ns)))),
            None => [None; 3],
        };
        let failure_ratio = counts.failure_ratio();
        Part { count: counts.calls(), share: None, failure_ratio, p50_ms, p95_ms, p99_ms }
    }
}

impl BreakdownTable {
    /// Gives each part its share, and puts the busiest key first.
    pub fn of(by: Dimension, mut rows: Vec<Row>, mut other: Part, lost_keys: usize) -> BreakdownTable {
        let all = other.count + rows.iter().map(|row| row.part.count).sum::<u64>();
        for part in rows.iter_mut().map(|row| &mut row.part).chain([&mut other]) {
            part.share = (all > 0).then(|| part.count as f64 / all as f64);
        }
        rows.sort_by(|a, b| b.part.count.cmp(&a.part.count).then_with(|| a.key.cmp(&b.key)));
        BreakdownTable { by: by.name(), rows, other, lost_keys }
    }
}

#[cfg(test)]
#[path = "detail_tests.rs"]
mod tests;
