//! A webhook: calls with a list of alerts each, one after the other, in the order in which things happened.
//!
//! A call that has been tried stays as it is until it is taken, byte for byte, so that its idempotency key holds;
//! what happens meanwhile waits for the next one.

use std::collections::VecDeque;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use ring::digest;
use serde::{Deserialize, Serialize};

use super::Notice;
use super::channel::{About, Answer, Call, Counts};
use crate::clock::rfc3339;

/// Version of the body; a receiver may rely on every field of it.
const VERSION: u32 = 1;
/// What begins within this of the first waits for it: many that fall at once are one call.
const GATHER_NS: u64 = 1_000_000_000;
/// Alerts of one call: some 100 KiB, which every receiver takes.
const CALL_MAX: usize = 100;
/// Alerts that wait at most: a day without receiver at one every 90 s. Then the oldest is dropped.
const QUEUE_MAX: usize = 1_000;
/// News of yesterday wakes nobody today.
const AGE_NS_MAX: u64 = 24 * 3_600_000_000_000;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Webhook {
    queue: VecDeque<Event>,
    /// Those at the head that are in the call under way.
    in_call: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Event {
    queued_unix_ns: u64,
    notice: Notice,
}

impl Webhook {
    pub fn take(&mut self, notice: &Notice, now_ns: u64, counts: &mut Counts) {
        let untried = self.queue.range_mut(self.in_call..);
        let same = |event: &&mut Event| {
            event.notice.id == notice.id && event.notice.is_resolved() == notice.is_resolved()
        };
        if let Some(event) = untried.into_iter().find(same) {
            event.notice = notice.clone();
            return;
        }
        if self.queue.len() >= QUEUE_MAX {
            self.queue.remove(self.in_call);
            counts.dropped += 1;
        }
        self.queue.push_back(Event { queued_unix_ns: now_ns, notice: notice.clone() });
    }

    pub fn due(&mut self, now_ns: u64, about: &About<'_>, counts: &mut Counts) -> Option<Call> {
        if self.in_call == 0 {
            let is_old = |event: &Event| event.queued_unix_ns + AGE_NS_MAX < now_ns;
            while self.queue.front().is_some_and(is_old) {
                self.queue.pop_front();
                counts.dropped += 1;
            }
            if now_ns < self.queue.front()?.queued_unix_ns + GATHER_NS {
                return None;
            }
            self.in_call = self.queue.len().min(CALL_MAX);
        }
        let alerts = self.queue.range(..self.in_call).map(|event| alert(&event.notice, about));
        let body = Body { version: VERSION, instance: about.instance, alerts: alerts.collect() };
        let body: Bytes =
            serde_json::to_vec(&body).expect("structs of text and numbers always encode").into();
        Some(Call { headers: vec![idempotency_key(&body)], body })
    }

    pub fn answered(&mut self, answer: &Answer, counts: &mut Counts) {
        let number = self.in_call as u64;
        self.queue.drain(..self.in_call);
        self.in_call = 0;
        match answer {
            Answer::Taken => counts.sent += number,
            _ => counts.dropped += number,
        }
    }

    pub fn queued(&self) -> u64 {
        self.queue.len() as u64
    }
}

/// The same for the same body: no two calls have the same one, for each alert is told once in each state.
fn idempotency_key(body: &[u8]) -> (HeaderName, HeaderValue) {
    let digest = digest::digest(&digest::SHA256, body);
    let key: String = digest.as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    (HeaderName::from_static("idempotency-key"), HeaderValue::try_from(key).expect("hex is ASCII"))
}

#[derive(Debug, Serialize)]
struct Body<'a> {
    version: u32,
    instance: &'a str,
    alerts: Vec<Alert<'a>>,
}

/// The fields of `/api/v1/alerts`, with what a person on call needs beside them.
#[derive(Debug, Serialize)]
struct Alert<'a> {
    state: &'static str,
    id: &'a str,
    provider: &'a str,
    kind: &'a str,
    scope: &'a str,
    severity: &'static str,
    started: String,
    detected: String,
    resolved: Option<String>,
    detected_after_s: f64,
    evidence: &'a str,
    exemplars: &'a [String],
    providers: &'a [String],
    owner: Option<&'a str>,
    runbook: Option<&'a str>,
    status_page: Option<&'a str>,
    url: String,
}

fn alert<'a>(notice: &'a Notice, about: &About<'_>) -> Alert<'a> {
    let after_ms = notice.detected_unix_ns.saturating_sub(notice.started_unix_ns) / 1_000_000;
    Alert {
        state: if notice.is_resolved() { "resolved" } else { "firing" },
        id: &notice.id,
        provider: &notice.provider,
        kind: &notice.kind,
        scope: &notice.scope,
        severity: notice.severity.name(),
        started: rfc3339(notice.started_unix_ns),
        detected: rfc3339(notice.detected_unix_ns),
        resolved: notice.resolved_unix_ns.map(rfc3339),
        detected_after_s: after_ms as f64 / 1000.0,
        evidence: &notice.evidence,
        exemplars: &notice.exemplars,
        providers: &notice.providers,
        owner: notice.owner.as_deref(),
        runbook: notice.runbook.as_deref(),
        status_page: notice.status_page.as_deref(),
        url: about.link(notice),
    }
}
