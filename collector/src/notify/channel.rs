//! One receiver: what waits for it, when it is due, and what became of it. Time and answers are handed in, so
//! that half an hour of silence takes a test no time.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use super::alertmanager::Alertmanager;
use super::retry::Retry;
use super::webhook::Webhook;
use super::{Notice, Severity, Target, TargetKind};

/// One call to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    pub body: Bytes,
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// What a receiver said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Taken,
    /// It will never take this call: nothing is won by sending it again.
    Refused(String),
    /// It may take the same call later.
    Failed(String),
}

/// What waits for one receiver, as it is kept across restarts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Waiting {
    Webhook(Webhook),
    Alertmanager(Alertmanager),
}

/// Figures of one receiver, since the start of the process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Status {
    #[serde(skip)]
    pub name: String,
    /// Alert states that the receiver has taken.
    pub sent: u64,
    /// Calls that were not answered with success.
    pub failed: u64,
    /// Alert states given up: refused for good, too old, or too many.
    pub dropped: u64,
    /// Alert states that wait.
    pub queued: u64,
    /// Why the last call failed; none after one that succeeded.
    pub last_error: Option<String>,
}

/// The figures that only ever grow.
#[derive(Debug, Default)]
pub struct Counts {
    pub sent: u64,
    pub dropped: u64,
}

#[derive(Debug)]
pub struct Channel {
    name: String,
    severity_min: Severity,
    waiting: Waiting,
    retry: Retry,
    counts: Counts,
    failed: u64,
    last_error: Option<String>,
}

impl Channel {
    pub fn new(target: &Target, kept: Option<Waiting>) -> Channel {
        let waiting = match (&target.kind, kept) {
            (TargetKind::Webhook { .. }, Some(Waiting::Webhook(kept))) => Waiting::Webhook(kept),
            (TargetKind::Alertmanager, Some(Waiting::Alertmanager(kept))) => Waiting::Alertmanager(kept),
            (TargetKind::Webhook { .. }, _) => Waiting::Webhook(Webhook::default()),
            (TargetKind::Alertmanager, _) => Waiting::Alertmanager(Alertmanager::default()),
        };
        Channel {
            name: target.name.clone(),
            severity_min: target.severity_min,
            waiting,
            retry: Retry::default(),
            counts: Counts::default(),
            failed: 0,
            last_error: None,
        }
    }

    pub fn waiting(&self) -> &Waiting {
        &self.waiting
    }

    pub fn take(&mut self, notice: &Notice, now_ns: u64) {
        if notice.severity < self.severity_min {
            return;
        }
        match &mut self.waiting {
            Waiting::Webhook(webhook) => webhook.take(notice, now_ns, &mut self.counts),
            Waiting::Alertmanager(alertmanager) => alertmanager.take(notice, now_ns, &mut self.counts),
        }
    }

    /// The call that is due, if one is. It is answered before the next one is asked for.
    pub fn due(&mut self, now_ns: u64, about: &About<'_>) -> Option<Call> {
        if !self.retry.may_try(now_ns) {
            return None;
        }
        match &mut self.waiting {
            Waiting::Webhook(webhook) => webhook.due(now_ns, about, &mut self.counts),
            Waiting::Alertmanager(alertmanager) => alertmanager.due(now_ns, about),
        }
    }

    pub fn answered(&mut self, answer: Answer, now_ns: u64, random: u64) {
        match (&mut self.waiting, &answer) {
            (_, Answer::Failed(_)) => {}
            (Waiting::Webhook(webhook), answer) => webhook.answered(answer, &mut self.counts),
            (Waiting::Alertmanager(alertmanager), answer) => {
                alertmanager.answered(answer, now_ns, &mut self.counts);
            }
        }
        match answer {
            Answer::Taken => {
                if self.retry.failures() > 0 {
                    tracing::info!("{}: takes alerts again", self.name);
                }
                self.retry.succeeded();
                self.last_error = None;
            }
            Answer::Refused(reason) => {
                tracing::error!("{}: refused alerts for good: {reason}", self.name);
                self.failed += 1;
                self.retry.succeeded();
                self.last_error = Some(reason);
            }
            Answer::Failed(reason) => {
                if self.retry.failures() == 0 {
                    tracing::warn!("{}: does not take alerts, trying until it does: {reason}", self.name);
                }
                self.failed += 1;
                self.retry.failed(now_ns, random);
                self.last_error = Some(reason);
            }
        }
    }

    pub fn status(&self) -> Status {
        Status {
            name: self.name.clone(),
            sent: self.counts.sent,
            failed: self.failed,
            dropped: self.counts.dropped,
            queued: match &self.waiting {
                Waiting::Webhook(webhook) => webhook.queued(),
                Waiting::Alertmanager(alertmanager) => alertmanager.queued(),
            },
            last_error: self.last_error.clone(),
        }
    }
}

/// What every message says beside the alert.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    pub instance: &'a str,
    pub page: &'a str,
}

impl About<'_> {
    /// Where a person looks on from an alert.
    pub fn link(&self, notice: &Notice) -> String {
        match notice.provider.as_str() {
            "*" => format!("{}/incidents", self.page),
            provider => format!("{}/p/{}", self.page, encoded(provider)),
        }
    }
}

/// A name as one segment of a path (RFC 3986, unreserved characters stay).
fn encoded(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(byte as char),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
