//! What the detector says: verdicts, and alerts that begin and end.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Silent,
    Declining,
    Slow,
    Failing,
    Hung,
}

impl Kind {
    /// Its name in the lines of `spanmill replay`.
    pub fn replay_name(self) -> &'static str {
        match self {
            Kind::Silent => "silent",
            Kind::Declining => "declining",
            Kind::Slow => "latency",
            Kind::Failing => "errors",
            Kind::Hung => "hang",
        }
    }

    pub fn verdict(self) -> Verdict {
        match self {
            Kind::Silent => Verdict::Silent,
            Kind::Declining => Verdict::Declining,
            Kind::Slow => Verdict::Slow,
            Kind::Failing => Verdict::Failing,
            Kind::Hung => Verdict::Hung,
        }
    }
}

/// What the page says of a provider.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Ok,
    Slow,
    Failing,
    Hung,
    Declining,
    Silent,
    /// Not enough calls seen yet to know what is normal.
    Learning,
    /// No call for so long that nothing can be said.
    #[default]
    Unknown,
}

impl Verdict {
    pub const ALL: [Verdict; 8] = [
        Verdict::Ok,
        Verdict::Slow,
        Verdict::Failing,
        Verdict::Hung,
        Verdict::Declining,
        Verdict::Silent,
        Verdict::Learning,
        Verdict::Unknown,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Slow => "slow",
            Verdict::Failing => "failing",
            Verdict::Hung => "hung",
            Verdict::Declining => "declining",
            Verdict::Silent => "silent",
            Verdict::Learning => "learning",
            Verdict::Unknown => "unknown",
        }
    }
}

/// Whom it concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    Everyone,
    Host(Arc<str>),
    Endpoint(Arc<str>),
    Operation(Arc<str>),
    Service(Arc<str>),
    /// Many providers at once: our egress, DNS or proxy.
    OurSide,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::Everyone => f.write_str("everyone"),
            Scope::Host(name) => write!(f, "host:{name}"),
            Scope::Endpoint(name) => write!(f, "endpoint:{name}"),
            Scope::Operation(name) => write!(f, "operation:{name}"),
            Scope::Service(name) => write!(f, "service:{name}"),
            Scope::OurSide => f.write_str("our_side"),
        }
    }
}

impl Serialize for Scope {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Page,
    Info,
}

/// One incident of one provider, or of our side.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// A ULID: sorts by the time of detection.
    pub id: String,
    /// `*` = our side.
    pub provider: Arc<str>,
    pub kind: Kind,
    pub scope: Scope,
    /// The first bad call of it.
    pub started_unix_ns: u64,
    pub detected_unix_ns: u64,
    pub resolved_unix_ns: Option<u64>,
    /// One sentence with figures.
    pub evidence: String,
    /// Trace ids, at most five.
    pub exemplars: Vec<[u8; 16]>,
    /// Whom an alert about our side stands for, by their alarms; else empty.
    pub providers: Vec<Arc<str>>,
    pub severity: Severity,
    /// Nobody is to be told: the provider is muted, or a maintenance goes on.
    pub muted: bool,
    /// Part of an alert about our side, and not told by itself.
    pub grouped: bool,
}

/// What became of an alert.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    Firing(Alert),
    /// Its scope grew, it got worse, or it left its group.
    Upgraded(Alert),
    Resolved(Alert),
}

impl Change {
    pub fn alert_mut(&mut self) -> &mut Alert {
        match self {
            Change::Firing(alert) | Change::Upgraded(alert) | Change::Resolved(alert) => alert,
        }
    }

    pub fn alert(&self) -> &Alert {
        match self {
            Change::Firing(alert) | Change::Upgraded(alert) | Change::Resolved(alert) => alert,
        }
    }
}

/// A ULID of the time and of what makes it one of a kind.
pub fn ulid(unix_ns: u64, provider: &str, number: u64) -> String {
    use std::hash::BuildHasher;
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let hasher = foldhash::fast::FixedState::default();
    let low = hasher.hash_one((provider, number, unix_ns));
    let high = hasher.hash_one((low, number)) & 0xffff;
    let value = u128::from(unix_ns / 1_000_000) << 80 | u128::from(high) << 64 | u128::from(low);
    let digit = |at: u32| char::from(ALPHABET[(value >> (5 * at)) as usize & 31]);
    (0..26).rev().map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_are_never_the_same() {
        let ids: Vec<String> =
            (0..100).map(|n| ulid(1_795_378_503_000_000_000 + n * 1_000_000, "bank", n)).collect();
        assert!(ids.is_sorted() && ids.iter().all(|id| id.len() == 26));
        assert_ne!(ulid(5, "bank", 1), ulid(5, "bank", 2));
        assert_ne!(ulid(5, "bank", 1), ulid(5, "shop", 1));
    }
}
