//! Figures out of the windows: the board of all providers, and one provider over time.

use std::time::Duration;

use super::counts::Counts;
use super::figures::{Board, Conversion, Figures, Point, Series, Verdict, ms, rfc3339};
use super::fold::Fold;
use super::outcome::Outcome;
use super::provider::Provider;
use super::registry::Registry;
use super::settled::STORED_S;
use super::window::{SECONDS, Sum};

/// A clock may be ahead of ours by 2 s and the present second is not over: both are part of now.
const AHEAD_S: u64 = 4;

impl Fold {
    /// All providers over the trailing `window`, with the second that is not over, by name.
    pub fn board(&mut self, now_ns: u64, window: Duration) -> Board {
        let now_s = now_ns / 1_000_000_000;
        let window_s = window.as_secs().clamp(1, SECONDS);
        let Fold { providers, registry, sum, .. } = self;
        let mut providers: Vec<Figures> = providers
            .list
            .iter()
            .map(|provider| {
                sum.clear();
                provider.window.sum_into(begin(now_s, window_s), now_s + AHEAD_S, sum);
                figures(provider, registry, sum, now_s, window_s)
            })
            .collect();
        providers.sort_by(|a, b| a.name.cmp(&b.name));
        Board { at_unix_ns: now_ns, window_s, providers }
    }

    /// One provider in steps of `step_s`, from the step that `from_s` is in up to `to_s`, which is not part of
    /// it. Reaches back 15 min; what was kept from before the start comes in steps of at least 10 s.
    pub fn series(&mut self, now_ns: u64, name: &str, from_s: u64, to_s: u64, step_s: u64) -> Option<Series> {
        let now_s = now_ns / 1_000_000_000;
        let provider = self.providers.find(name)?;
        let (from_s, to_s, step_s) = range(provider, now_s, from_s, to_s, step_s);
        let sum = &mut self.sum;
        let points = (from_s..to_s).step_by(step_s as usize).map(|t| {
            sum.clear();
            let end = (t + step_s).min(to_s);
            provider.window.sum_into(t, end, sum);
            let flight = provider.flight.most(t, end);
            Point {
                in_flight: flight.map(|flight| flight.calls),
                oldest_in_flight_ms: flight.map(|flight| flight.oldest_ns / 1_000_000),
                ..Point::of(t, sum)
            }
        });
        Some(Series { name: name.to_owned(), step_s, points: points.collect() })
    }
}

/// The first second of a window of `window_s` that ends with the present second.
fn begin(now_s: u64, window_s: u64) -> u64 {
    (now_s + 1).saturating_sub(window_s)
}

/// What of a range is there, in steps that are fine enough for what was kept.
pub fn range(provider: &Provider, now_s: u64, from_s: u64, to_s: u64, step_s: u64) -> (u64, u64, u64) {
    let (from_s, to_s) = (from_s.max(begin(now_s, SECONDS)), to_s.min(now_s + AHEAD_S));
    let is_coarse = provider.window.is_coarse(from_s, to_s);
    let step_s = step_s.clamp(if is_coarse { STORED_S } else { 1 }, SECONDS);
    (from_s / step_s * step_s, to_s, step_s)
}

fn figures(provider: &Provider, registry: &Registry, sum: &Sum, now_s: u64, window_s: u64) -> Figures {
    let conversion = conversion(provider, now_s);
    let flight = provider.flight.present();
    let table = provider.registered.map(|table| registry.provider(table));
    Figures {
        conversion,
        in_flight: flight.map(|flight| flight.calls),
        oldest_in_flight_ms: flight.map(|flight| flight.oldest_ns / 1_000_000),
        in_flight_ages: flight.map(|flight| flight.ages),
        last_success: (provider.last_ok_ns > 0).then(|| rfc3339(provider.last_ok_ns)),
        owner: table.and_then(|table| table.owner.clone()),
        runbook: table.and_then(|table| table.runbook.clone()),
        status_page: table.and_then(|table| table.status_page.clone()),
        muted: table.is_some_and(|table| table.mute),
        verdict: Verdict::Learning,
        ..Figures::of(&provider.name, sum, window_s)
    }
}

impl Figures {
    /// What `sum`, of `window_s` seconds, says of a provider; nothing of the present.
    pub fn of(name: &str, sum: &Sum, window_s: u64) -> Figures {
        let counts = &sum.counts;
        let calls = counts.calls();
        let [p50_ms, p95_ms, p99_ms] = answered_ms(sum);
        Figures {
            name: name.to_owned(),
            calls_per_s: calls as f64 / window_s as f64,
            count: calls,
            attempts: counts.attempts,
            ok: counts.of(Outcome::Ok),
            declined: counts.of(Outcome::Declined),
            client_fault: counts.of(Outcome::ClientFault),
            failed: counts.of(Outcome::Failed),
            timeout: counts.of(Outcome::Timeout),
            connect: counts.of(Outcome::Connect),
            cancelled: counts.of(Outcome::Cancelled),
            failure_ratio: counts.failure_ratio(),
            conversion: Conversion::default(),
            p50_ms,
            p95_ms,
            p99_ms,
            max_ms: (calls > 0).then(|| ms(counts.max_ns)),
            sum_ms: ms(counts.sum_ns),
            failed_p95_ms: sum.other.quantiles([0.95]).map(|[p95]| ms(p95.min(counts.max_ns))),
            in_flight: None,
            oldest_in_flight_ms: None,
            in_flight_ages: None,
            baseline: None,
            verdict: Verdict::Unknown,
            since: None,
            scope: None,
            evidence: None,
            last_success: None,
            owner: None,
            runbook: None,
            status_page: None,
            muted: false,
        }
    }

    /// The same provider as it is now, with the figures of another stretch of time.
    pub fn over(&self, sum: &Sum, window_s: u64) -> Figures {
        let now = self.clone();
        Figures {
            conversion: now.conversion,
            in_flight: now.in_flight,
            oldest_in_flight_ms: now.oldest_in_flight_ms,
            in_flight_ages: now.in_flight_ages,
            baseline: now.baseline,
            verdict: now.verdict,
            since: now.since,
            scope: now.scope,
            evidence: now.evidence,
            last_success: now.last_success,
            owner: now.owner,
            runbook: now.runbook,
            status_page: now.status_page,
            muted: now.muted,
            ..Figures::of(&self.name, sum, window_s)
        }
    }
}

/// Over 5, 10 and 15 minutes; each second is looked at once.
fn conversion(provider: &Provider, now_s: u64) -> Conversion {
    let mut counts = Counts::default();
    let mut end = now_s + AHEAD_S;
    let [minutes_5, minutes_10, minutes_15] = [5, 10, 15].map(|minutes| {
        let from = begin(now_s, minutes * 60);
        counts.merge(&provider.window.counts(from, std::mem::replace(&mut end, from)));
        counts.conversion()
    });
    Conversion { minutes_5, minutes_10, minutes_15 }
}

/// p50, p95 and p99 of what was answered; a bucket's upper end may lie above the longest call, they do not.
fn answered_ms(sum: &Sum) -> [Option<f64>; 3] {
    match sum.answered.quantiles([0.5, 0.95, 0.99]) {
        Some(found) => found.map(|ns| Some(ms(ns.min(sum.counts.max_ns)))),
        None => [None; 3],
    }
}

impl Point {
    /// What `sum` says of the step that begins at `t`.
    pub fn of(t: u64, sum: &Sum) -> Point {
        let counts = &sum.counts;
        let [p50_ms, p95_ms, p99_ms] = answered_ms(sum);
        Point {
            t,
            count: counts.calls(),
            ok: counts.of(Outcome::Ok),
            declined: counts.of(Outcome::Declined),
            client_fault: counts.of(Outcome::ClientFault),
            failed: counts.of(Outcome::Failed),
            timeout: counts.of(Outcome::Timeout),
            connect: counts.of(Outcome::Connect),
            cancelled: counts.of(Outcome::Cancelled),
            p50_ms,
            p95_ms,
            p99_ms,
            max_ms: (counts.calls() > 0).then(|| ms(counts.max_ns)),
            sum_ms: ms(counts.sum_ns),
            in_flight: None,
            oldest_in_flight_ms: None,
        }
    }
}
