//! The figures that leave the roll-up: what the page, the API and later the detector read.
//!
//! Names and units are those of `/api/v1/providers` and `/series`; a ratio of 0/0 is `None`.

use serde::Serialize;

pub use crate::clock::rfc3339;

use super::flight::AGES_S;

/// All providers over one trailing window.
#[derive(Debug, Clone, Default)]
pub struct Board {
    pub at_unix_ns: u64,
    pub window_s: u64,
    pub providers: Vec<Figures>,
}

/// One provider over one window.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    pub name: String,
    pub calls_per_s: f64,
    pub count: u64,
    pub attempts: u64,
    pub ok: u64,
    pub declined: u64,
    pub client_fault: u64,
    pub failed: u64,
    pub timeout: u64,
    pub connect: u64,
    pub cancelled: u64,
    pub failure_ratio: Option<f64>,
    pub conversion: Conversion,
    pub p50_ms: Option<f64>,
    pub p95_ms: Option<f64>,
    pub p99_ms: Option<f64>,
    pub max_ms: Option<f64>,
    pub sum_ms: f64,
    pub failed_p95_ms: Option<f64>,
    pub in_flight: Option<u64>,
    pub oldest_in_flight_ms: Option<u64>,
    /// Calls in flight by age, one for each of [`AGES_S`] and one for all above; for metrics.
    #[serde(skip)]
    pub in_flight_ages: Option<[u64; AGES_S.len() + 1]>,
    pub baseline: Option<Baseline>,
    pub verdict: Verdict,
    /// RFC 3339; when the verdict fell.
    pub since: Option<String>,
    pub scope: Option<String>,
    pub evidence: Option<String>,
    /// RFC 3339.
    pub last_success: Option<String>,
    pub owner: Option<String>,
    pub runbook: Option<String>,
    pub status_page: Option<String>,
    pub muted: bool,
}

/// ok / (all − cancelled) over the business operations.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Conversion {
    #[serde(rename = "5m")]
    pub minutes_5: Option<f64>,
    #[serde(rename = "10m")]
    pub minutes_10: Option<f64>,
    #[serde(rename = "15m")]
    pub minutes_15: Option<f64>,
}

/// What is normal for a provider.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Baseline {
    pub p95_ms: f64,
    pub failure_ratio: f64,
    pub calls_per_s: f64,
}

/// What the daemon says of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Ok,
    Slow,
    Failing,
    Hung,
    Declining,
    Silent,
    Learning,
    Unknown,
}

/// One provider over time.
#[derive(Debug, Clone, Serialize)]
pub struct Series {
    pub name: String,
    pub step_s: u64,
    pub points: Vec<Point>,
}

/// One step of a series; `t` is its first unix second.
#[derive(Debug, Clone, Serialize)]
pub struct Point {
    pub t: u64,
    pub count: u64,
    pub ok: u64,
    pub declined: u64,
    pub client_fault: u64,
    pub failed: u64,
    pub timeout: u64,
    pub connect: u64,
    pub cancelled: u64,
    pub p50_ms: Option<f64>,
    pub p95_ms: Option<f64>,
    pub p99_ms: Option<f64>,
    pub max_ms: Option<f64>,
    pub sum_ms: f64,
    pub in_flight: Option<u64>,
    pub oldest_in_flight_ms: Option<u64>,
}

/// Milliseconds to the microsecond: what is finer is below the error of a bucket.
pub fn ms(ns: u64) -> f64 {
    (ns as f64 / 1e3).round() / 1e3
}
