//! Time, handed in: the system's clock in the daemon, a clock that a test moves in tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Where a stage reads the wall clock. Cheap to clone; clones of a manual clock move together.
#[derive(Debug, Clone, Default)]
pub struct Clock(Source);

#[derive(Debug, Clone, Default)]
enum Source {
    #[default]
    System,
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// A clock that stands at `unix_ns` until it is moved.
    pub fn manual(unix_ns: u64) -> Clock {
        Clock(Source::Manual(Arc::new(AtomicU64::new(unix_ns))))
    }

    /// Nanoseconds since 1970-01-01 UTC.
    pub fn unix_ns(&self) -> u64 {
        match &self.0 {
            Source::System => system_unix_ns(),
            Source::Manual(at) => at.load(Ordering::Relaxed),
        }
    }

    /// Moves a manual clock on; the system's clock moves by itself.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(at) = &self.0 {
            at.fetch_add(by.as_nanos() as u64, Ordering::Relaxed);
        }
    }
}

/// A clock before 1970 reads as 1970: the field is unsigned and the host has worse problems.
#[allow(clippy::disallowed_methods)] // the one place that reads the system's clock
fn system_unix_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as u64
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
