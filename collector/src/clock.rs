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
