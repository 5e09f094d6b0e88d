//! Prometheus' Alertmanager, API v2: it is told again and again of what fires, as it forgets what it no longer
//! hears of, and of an end until it has long had the time to pass it on.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Notice;
use super::channel::{About, Answer, Call, Counts};
use crate::clock::rfc3339;

/// Everything is sent again this often: ten times within Alertmanager's default `resolve_timeout` of 5 min.
const RESEND_NS: u64 = 30_000_000_000;
/// An end is told for so long, as Prometheus does: an Alertmanager that restarts has forgotten it.
const RESOLVED_NS: u64 = 15 * 60_000_000_000;
/// Alerts it is told of at most, a provider table full several times over; then the new one is dropped.
const ALERTS_MAX: usize = 5_000;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Alertmanager {
    /// By what makes an alert the same one to Alertmanager: its labels.
    alerts: BTreeMap<String, Told>,
    /// What of it has changed since it was last taken.
    changed: BTreeSet<String>,
    /// What of `changed` is in the call under way.
    #[serde(skip)]
    in_call: BTreeSet<String>,
    #[serde(skip)]
    taken_unix_ns: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Told {
    notice: Notice,
    /// Set with the end of the alert, or of these labels for it.
    ended_unix_ns: Option<u64>,
}

impl Alertmanager {
    pub fn take(&mut self, notice: &Notice, now_ns: u64, counts: &mut Counts) {
        let key = key(notice);
        // A scope that grew, a severity that rose: other labels, so another alert, and the end of the one before.
        for (old, told) in &mut self.alerts {
            if *old != key && told.notice.id == notice.id && told.ended_unix_ns.is_none() {
                told.ended_unix_ns = Some(now_ns);
                self.changed.insert(old.clone());
                self.in_call.remove(old);
            }
        }
        if self.alerts.len() >= ALERTS_MAX && !self.alerts.contains_key(&key) {
            counts.dropped += 1;
            return;
        }
        let told = Told { notice: notice.clone(), ended_unix_ns: notice.resolved_unix_ns };
        self.alerts.insert(key.clone(), told);
        // A call under way tells of what was before.
        self.in_call.remove(&key);
        self.changed.insert(key);
    }

    pub fn due(&mut self, now_ns: u64, about: &About<'_>) -> Option<Call> {
        let (alerts, changed) = (&mut self.alerts, &self.changed);
        alerts.retain(|key, told| {
            changed.contains(key) || told.ended_unix_ns.is_none_or(|ended| now_ns < ended + RESOLVED_NS)
        });
        let is_time = now_ns >= self.taken_unix_ns + RESEND_NS;
        if self.changed.is_empty() && (self.alerts.is_empty() || !is_time) {
            return None;
        }
        self.in_call = self.changed.clone();
        let alerts: Vec<_> = self.alerts.values().map(|told| alert(told, about)).collect();
        let body = serde_json::to_vec(&alerts).expect("JSON values always encode").into();
        Some(Call { body, headers: Vec::new() })
    }

    pub fn answered(&mut self, answer: &Answer, now_ns: u64, counts: &mut Counts) {
        let number = self.in_call.len() as u64;
        for key in std::mem::take(&mut self.in_call) {
            self.changed.remove(&key);
        }
        self.taken_unix_ns = now_ns;
        match answer {
            Answer::Taken => counts.sent += number,
            _ => counts.dropped += number,
        }
    }

    pub fn queued(&self) -> u64 {
        self.changed.len() as u64
    }
}

/// The labels in one text. None of them contains a line break: they are names of ours.
fn key(notice: &Notice) -> String {
    format!("{}\n{}\n{}\n{}", notice.provider, notice.kind, notice.scope, notice.severity.name())
}

fn alert(told: &Told, about: &About<'_>) -> serde_json::Value {
    let notice = &told.notice;
    let mut annotations = json!({
        "summary": summary(notice),
        "description": notice.evidence,
        "instance": about.instance,
    });
    let lists = [("exemplars", &notice.exemplars), ("providers", &notice.providers)];
    for (name, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
        annotations[name] = list.join(" ").into();
    }
    let texts =
        [("owner", &notice.owner), ("runbook_url", &notice.runbook), ("status_page", &notice.status_page)];
    for (name, text) in texts {
        if let Some(text) = text {
            annotations[name] = text.as_str().into();
        }
    }
    let mut alert = json!({
        "labels": {
            "alertname": name(&notice.kind),
            "provider": notice.provider,
            "kind": notice.kind,
            "scope": notice.scope,
            "severity": notice.severity.name(),
        },
        "annotations": annotations,
        "startsAt": rfc3339(notice.started_unix_ns),
        "generatorURL": about.link(notice),
    });
    if let Some(ended) = told.ended_unix_ns {
        // Alertmanager refuses an end before the beginning, which a clock that was set back can bring about.
        alert["endsAt"] = rfc3339(ended.max(notice.started_unix_ns)).into();
    }
    alert
}

fn summary(notice: &Notice) -> String {
    match (notice.provider.as_str(), notice.scope.as_str()) {
        ("*", _) => format!("our side: {} providers at once", notice.providers.len()),
        (provider, "everyone") => format!("{provider} is {}", notice.kind),
        (provider, scope) => format!("{provider} is {} for {}", notice.kind, scope.replacen(':', " ", 1)),
    }
}

/// `ProviderHung` for `hung`, `OurSide` for `our_side`.
fn name(kind: &str) -> String {
    let words = kind.split('_').map(|word| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    });
    let name: String = words.collect();
    if kind == "our_side" { name } else { format!("Provider{name}") }
}
