//! What is known of each provider now, for the page and the API.

use std::sync::Arc;

use super::alert::{Scope, Verdict};
use super::channel::{FAILED, FAULT, SLOW, TAIL};
use super::cusum::FIRES_AT;
use super::detector::Detector;
use super::firing::Firing;
use super::provider::Provider;
use crate::rollup::Names;

/// Without a call for so long nothing can be said.
const UNKNOWN_S: u64 = 900;

/// One provider.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    pub provider: Arc<str>,
    pub verdict: Verdict,
    pub since_unix_ns: u64,
    /// While something is wrong.
    pub scope: Option<Scope>,
    /// While something is wrong.
    pub evidence: Option<String>,
    pub baseline: Option<Baseline>,
    pub meter: Meter,
    /// Milliseconds since the start of the oldest open call, where somebody tells of them.
    pub oldest_open_ms: Option<u64>,
    pub muted: bool,
}

/// What is normal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Baseline {
    pub p95_ms: f64,
    pub failure_ratio: f64,
    pub calls_per_s: f64,
}

/// How near an alarm is, 0 … 1: evidence is in calls, and at few calls it takes its time.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Meter {
    pub slow: f64,
    pub hung: f64,
    pub failing: f64,
    pub declining: f64,
}

impl Detector {
    /// All providers, as of the last tick.
    pub fn states(&mut self, names: &dyn Names) -> Vec<State> {
        let now_s = self.now_s();
        let muted: Vec<bool> = self.providers.iter().map(|one| self.is_muted(one, names)).collect();
        let states = self.providers.iter_mut().zip(muted);
        states.map(|(provider, muted)| provider.state(now_s, muted, names)).collect()
    }
}

impl Provider {
    fn verdict_now(&self, now_s: u64) -> (Verdict, Option<Scope>) {
        if let Some(firing) = &self.firing {
            return (firing.alert.kind.verdict(), Some(firing.alert.scope.clone()));
        }
        if self.declining.is_some() {
            return (Verdict::Declining, Some(Scope::Everyone));
        }
        if self.silent.is_some() {
            return (Verdict::Silent, Some(Scope::Everyone));
        }
        if now_s >= self.last_call_s + UNKNOWN_S {
            return (Verdict::Unknown, None);
        }
        (if self.is_armed() { Verdict::Ok } else { Verdict::Learning }, None)
    }

    fn state(&mut self, now_s: u64, muted: bool, names: &dyn Names) -> State {
        let (verdict, scope) = self.verdict_now(now_s);
        if verdict != self.verdict {
            (self.verdict, self.since_unix_ns) = (verdict, now_s * 1_000_000_000);
        }
        let evidence = match (&self.firing, &self.declining, &self.silent) {
            (Some(Firing { alert, .. }), ..) | (None, Some(alert), _) | (None, None, Some(alert)) => {
                Some(alert.evidence.clone())
            }
            _ => None,
        };
        let baseline = self.p95_s().filter(|_| self.is_armed()).map(|p95_s| Baseline {
            p95_ms: p95_s * 1e3,
            failure_ratio: self.failures.bad / self.failures.calls.max(1.0),
            calls_per_s: self.failures.rate,
        });
        let part = |channel: usize| (self.sums[channel] / FIRES_AT).min(1.0);
        State {
            provider: names.text(self.name),
            verdict,
            since_unix_ns: self.since_unix_ns,
            scope,
            evidence,
            baseline,
            meter: Meter {
                slow: part(SLOW),
                hung: part(TAIL),
                failing: part(FAILED).max(part(FAULT)),
                declining: self.conversion.evidence(),
            },
            oldest_open_ms: self.open.is_known.then_some(self.open.oldest_ns / 1_000_000),
            muted,
        }
    }
}
