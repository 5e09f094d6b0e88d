//! The figures that leave the roll-up: what the page, the API and later the detector read.
//!
//! Names and units are those of `/api/v1/providers` and `/series`; a ratio of 0/0 is `None`.

use serde::Serialize;

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

/// RFC 3339 in UTC with milliseconds, as all times in the API's objects are written.
pub fn rfc3339(unix_ns: u64) -> String {
    let (seconds, ms) = (unix_ns / 1_000_000_000, unix_ns / 1_000_000 % 1000);
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

/// The date of a day counted from 1970-01-01: 400 years have 146,097 days, and with March as the first month
/// the leap day is a year's last (the method of Howard Hinnant's `civil_from_days`).
fn civil(day: u64) -> (u64, u64, u64) {
    let day = day + 719_468; // from 0000-03-01
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day_of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_rfc_3339() {
        let check =
            |seconds: u64, want: &str| assert_eq!(rfc3339(seconds * 1_000_000_000 + 871_999_999), want);
        check(0, "1970-01-01T00:00:00.871Z");
        check(951_782_399, "2000-02-28T23:59:59.871Z");
        check(951_782_400, "2000-02-29T00:00:00.871Z");
        check(951_868_800, "2000-03-01T00:00:00.871Z");
        check(1_735_689_599, "2024-12-31T23:59:59.871Z");
        check(1_795_378_503, "2026-11-22T20:15:03.871Z");
        check(4_107_542_400, "2100-03-01T00:00:00.871Z");
    }
}
