//! One alert as it is told to people.

use serde::{Deserialize, Serialize};

/// An alert at one moment of its life: firing until it has `resolved_unix_ns`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// The same from its first moment to its last.
    pub id: String,
    /// `*` = our own side, see `providers`.
    pub provider: String,
    /// A verdict (`slow`, `failing`, `hung`, `declining`, `silent`) or `our_side`.
    pub kind: String,
    /// `everyone`, `host:NAME`, `service:NAME`, `operation:NAME`, `endpoint:NAME` or `our_side`.
    pub scope: String,
    pub severity: Severity,
    pub started_unix_ns: u64,
    pub detected_unix_ns: u64,
    pub resolved_unix_ns: Option<u64>,
    /// One sentence with figures.
    pub evidence: String,
    /// Trace ids in hex.
    pub exemplars: Vec<String>,
    /// Providers that one alert stands for, where it is our own side.
    pub providers: Vec<String>,
    pub owner: Option<String>,
    pub runbook: Option<String>,
    pub status_page: Option<String>,
}

impl Notice {
    pub fn is_resolved(&self) -> bool {
        self.resolved_unix_ns.is_some()
    }
}

/// Whom an alert should reach; ascending.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Somebody may look at it tomorrow: one bad host.
    Info,
    /// Somebody should look at it today.
    Warning,
    /// Somebody should be woken.
    #[default]
    Page,
}

impl Severity {
    pub fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Page => "page",
        }
    }
}
