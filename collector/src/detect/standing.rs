//! What is said of each provider at this moment, and what is normal for it.

use std::sync::Arc;

use super::alert::{Alert, Scope, Verdict};
use super::channel::{FAILED, FAULT, SLOW, TAIL};
use super::cusum::FIRES_AT;
use super::detector::Detector;
use super::histogram::Histogram;
use super::provider::Provider;
use crate::rollup::{Name, Names};

/// Without a call for so long nothing can be said.
const UNKNOWN_S: u64 = 600;

#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    pub provider: Arc<str>,
    pub verdict: Verdict,
    /// Since when the verdict is what it is.
    pub since_unix_ns: u64,
    /// How often it has changed.
    pub generation: u32,
    /// Of the incident that goes on.
    pub scope: Option<Scope>,
    pub evidence: Option<String>,
    /// `None` while it is learned.
    pub baseline: Option<Baseline>,
    /// Ages at which an open call counts as slow and as tail, by operation.
    pub limits: Vec<AgeLimits>,
    pub meter: Meter,
}

/// How near an alarm is, 0 … 1: evidence is in calls, and at few calls it takes its time.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Meter {
    pub slow: f64,
    pub hung: f64,
    pub failing: f64,
    pub declining: f64,
}

/// What is normal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Baseline {
    pub p95_ns: u64,
    pub failure_ratio: f64,
    pub calls_per_s: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgeLimits {
    pub operation: Name,
    pub slow_ns: u64,
    pub tail_ns: u64,
}

impl Detector {
    /// Every provider, by the order of their first calls. After a tick.
    pub fn standings(&mut self, now_unix_ns: u64, names: &dyn Names) -> Vec<Standing> {
        let now_s = now_unix_ns / 1_000_000_000;
        self.providers.iter_mut().map(|provider| provider.standing(now_s, now_unix_ns, names)).collect()
    }
}

impl Provider {
    fn standing(&mut self, now_s: u64, now_unix_ns: u64, names: &dyn Names) -> Standing {
        let alert = self.alert();
        let verdict = match alert {
            Some(alert) => alert.kind.verdict(),
            None if now_s > self.last_call_s + UNKNOWN_S => Verdict::Unknown,
            None if !self.is_armed() => Verdict::Learning,
            None => Verdict::Ok,
        };
        let (scope, evidence) = alert.map(|alert| (alert.scope.clone(), alert.evidence.clone())).unzip();
        if verdict != self.verdict {
            (self.verdict, self.since_unix_ns) = (verdict, now_unix_ns);
            self.generation += 1;
        }
        Standing {
            provider: names.text(self.name),
            verdict,
            since_unix_ns: self.since_unix_ns,
            generation: self.generation,
            scope,
            evidence,
            baseline: self.baseline(),
            limits: self.age_limits(),
            meter: self.meter(),
        }
    }

    fn meter(&self) -> Meter {
        let part = |channel: usize| (self.sums[channel] / FIRES_AT).min(1.0);
        Meter {
            slow: part(SLOW),
            hung: part(TAIL),
            failing: part(FAILED).max(part(FAULT)),
            declining: self.conversion.evidence(),
        }
    }

    /// The incident that goes on: of several the one that is worst for a caller.
    fn alert(&self) -> Option<&Alert> {
        let firing = self.firing.as_ref().map(|firing| &firing.alert);
        firing.or(self.declining.as_ref()).or(self.silent.as_ref())
    }

    fn baseline(&self) -> Option<Baseline> {
        self.is_armed().then(|| {
            let mut all = Histogram::default();
            let seen = self.operations.iter().map(|operation| &operation.learned);
            seen.chain(self.remembered.values()).for_each(|learned| all.merge(&learned.durations));
            let [p95_ns] = all.quantiles([0.95]);
            Baseline {
                p95_ns: p95_ns as u64,
                failure_ratio: self.failures.bad / self.failures.calls.max(1.0),
                calls_per_s: self.failures.rate,
            }
        })
    }

    fn age_limits(&self) -> Vec<AgeLimits> {
        let known = self.operations.iter().filter_map(|operation| Some((operation.name, operation.limits?)));
        let limits = known.map(|(operation, limits)| AgeLimits {
            operation,
            slow_ns: limits.slow_ns + self.delay.delay_ns,
            tail_ns: limits.tail_ns + self.delay.delay_ns,
        });
        limits.collect()
    }
}
