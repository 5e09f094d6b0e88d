//! What the detector says, laid over the figures; and its events as they happen.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Bytes;
use serde::Serialize;
use tokio::sync::broadcast;

use super::api::Api;
use super::facts::Facts;
use crate::detect::{self, Alert, Standing};
use crate::rollup::{Baseline, Figures, Verdict, rfc3339};
use crate::store::Store;

/// What is said of the providers at this moment.
pub(super) struct Present<'s> {
    standings: HashMap<Arc<str>, Standing>,
    store: &'s Store,
}

impl<'s> Present<'s> {
    pub(super) fn of(facts: &'s dyn Facts) -> Present<'s> {
        let standings = facts.standings();
        let standings =
            standings.borrow().iter().map(|one| (Arc::clone(&one.provider), one.clone())).collect();
        Present { standings, store: facts.store() }
    }

    /// The figures with what is said of their provider.
    pub(super) fn on(&self, figures: &Figures) -> Figures {
        let mut figures = figures.clone();
        figures.muted |= self.store.is_muted(&figures.name);
        let Some(standing) = self.standings.get(figures.name.as_str()) else { return figures };
        figures.verdict = verdict(standing.verdict);
        figures.since = Some(rfc3339(standing.since_unix_ns));
        figures.scope = standing.scope.as_ref().map(ToString::to_string);
        figures.evidence.clone_from(&standing.evidence);
        figures.baseline = standing.baseline.map(|baseline| Baseline {
            p95_ms: (baseline.p95_ns as f64 / 1e3).round() / 1e3,
            failure_ratio: baseline.failure_ratio,
            calls_per_s: baseline.calls_per_s,
        });
        figures
    }

    pub(super) fn verdict(&self, figures: &Figures) -> Verdict {
        self.standings.get(figures.name.as_str()).map_or(figures.verdict, |one| verdict(one.verdict))
    }
}

fn verdict(verdict: detect::Verdict) -> Verdict {
    match verdict {
        detect::Verdict::Ok => Verdict::Ok,
        detect::Verdict::Slow => Verdict::Slow,
        detect::Verdict::Failing => Verdict::Failing,
        detect::Verdict::Hung => Verdict::Hung,
        detect::Verdict::Declining => Verdict::Declining,
        detect::Verdict::Silent => Verdict::Silent,
        detect::Verdict::Learning => Verdict::Learning,
        detect::Verdict::Unknown => Verdict::Unknown,
    }
}

/// A verdict that has fallen.
#[derive(Debug, Serialize)]
struct Fallen<'a> {
    name: &'a str,
    verdict: &'static str,
    since: String,
    scope: Option<String>,
    evidence: Option<&'a str>,
}

/// Publishes each change of a verdict, and each alert, at once; until the server stops or the detector is gone.
pub(super) fn publish(api: Arc<Api>) -> impl Future<Output = ()> + Send {
    let mut standings = api.facts.standings();
    let mut alerts = api.facts.alerts();
    let mut stopping = api.stopping.clone();
    async move {
        let mut told: HashMap<Arc<str>, u32> = HashMap::new();
        loop {
            tokio::select! {
                _ = stopping.wait_for(|stopping| *stopping) => return,
                alert = alerts.recv() => match alert {
                    Ok(alert) => api.live.event_of("alert", encode(&told_alert(&alert))),
                    // The list of alerts has those that were missed.
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return,
                },
                changed = standings.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let now = Arc::clone(&standings.borrow_and_update());
                    for standing in now.iter() {
                        let before = told.insert(Arc::clone(&standing.provider), standing.generation);
                        if before != Some(standing.generation) {
                            api.live.event_of("verdict", encode(&fallen(standing)));
                        }
                    }
                    if told.len() > now.len() {
                        told.retain(|name, _| now.iter().any(|standing| standing.provider == *name));
                    }
                }
            }
        }
    }
}

fn fallen(standing: &Standing) -> Fallen<'_> {
    Fallen {
        name: &standing.provider,
        verdict: standing.verdict.name(),
        since: rfc3339(standing.since_unix_ns),
        scope: standing.scope.as_ref().map(ToString::to_string),
        evidence: standing.evidence.as_deref(),
    }
}

/// The same as in `/api/v1/alerts`.
fn told_alert(alert: &Alert) -> super::alerts::Alert {
    super::alerts::Alert {
        id: alert.id.clone(),
        provider: alert.provider.to_string(),
        kind: alert.kind.verdict().name().to_owned(),
        scope: alert.scope.to_string(),
        started: rfc3339(alert.started_unix_ns),
        detected: rfc3339(alert.detected_unix_ns),
        resolved: alert.resolved_unix_ns.map(rfc3339),
        detected_after_s: alert.detected_unix_ns.saturating_sub(alert.started_unix_ns) as f64 / 1e9,
        evidence: alert.evidence.clone(),
        exemplars: alert
            .exemplars
            .iter()
            .map(|id| id.iter().map(|byte| format!("{byte:02x}")).collect())
            .collect(),
        severity: match alert.severity {
            detect::Severity::Page => "page".to_owned(),
            detect::Severity::Info => "info".to_owned(),
        },
        muted: alert.muted,
    }
}

fn encode(event: &impl Serialize) -> Bytes {
    serde_json::to_vec(event).expect("plain structs with string keys always encode").into()
}
