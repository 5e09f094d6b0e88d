//! What the roll-up hands to the store: windows of 10 s whose figures have changed since the last look.

use super::window::Counts;
use crate::journal::Position;

/// Length of a stored window.
pub const STORED_S: u64 = 10;

/// One provider over [`STORED_S`] seconds: all that is known of them, never a difference, so that writing it twice
/// changes nothing.
#[derive(Debug, Clone)]
pub struct StoredWindow {
    pub provider: String,
    /// Unix second, a multiple of [`STORED_S`].
    pub begin_s: u64,
    pub counts: Counts,
    /// Bucket of [`super::latency`] and count, ascending: durations of ok and declined calls.
    pub answered: Vec<(u16, u64)>,
    /// The same of all other calls.
    pub other: Vec<(u16, u64)>,
    /// Calls that came in more than 30 s after their end.
    pub late: u64,
}

/// What has changed, and how far the journal is part of it. Stored in one transaction.
#[derive(Debug, Clone)]
pub struct Changed {
    pub windows: Vec<StoredWindow>,
    /// Every record before it is in the windows, none after it.
    pub position: Position,
}

/// What was stored before the start, as of one transaction.
#[derive(Debug, Clone, Default)]
pub struct Restored {
    /// The windows that begin in the 15 minutes before the end of the newest one, of all providers.
    pub windows: Vec<StoredWindow>,
    /// Where the journal is read on from; `None` = nothing was stored yet.
    pub position: Option<Position>,
}
