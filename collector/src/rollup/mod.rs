//! Turns the journal's records into latency and outcome figures per external provider.
//!
//! One thread follows the journal in order, so the figures are the fold over its records, each once. Never
//! waits for a destination, and never makes a label of a path, a query, a body or a raw span name.

mod figures;
pub mod registry;

pub use figures::{Baseline, Board, Conversion, Figures, Point, Series, Verdict};

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::journal::Journal;

#[derive(Debug, Clone)]
pub struct Config {
    pub registry: registry::Config,
    /// Providers shown at most; those of the registry have reserved places.
    pub providers_max: usize,
    /// Operations per provider at most.
    pub operations_max: usize,
    /// Values of `deployment.environment.name` that count as production (no `@env` suffix).
    pub production: Vec<String>,
}

/// Starts the roll-up on a thread of its own: first what the journal holds of the last 15 minutes, then live.
pub fn start(_config: Config, _journal: &Journal, _clock: Clock) -> Rollup {
    unimplemented!()
}

/// The read handle. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Rollup {}

impl Rollup {
    /// False while the journal of before the start is still being read.
    pub fn is_ready(&self) -> bool {
        unimplemented!()
    }
    /// The trailing 60 s, computed once a second and shared by all readers.
    pub fn board(&self) -> watch::Receiver<Arc<Board>> {
        unimplemented!()
    }
    /// The trailing `window`, up to 15 min, computed for this call.
    pub fn window(&self, _window: Duration) -> Board {
        unimplemented!()
    }
    /// One provider over time; `None` = no such provider. Times in unix seconds, `step` a multiple of 1 s.
    pub fn series(&self, _name: &str, _from_s: u64, _to_s: u64, _step_s: u64) -> Option<Series> {
        unimplemented!()
    }
    /// Cumulative counters since the start of the process, per provider, operation and outcome, for `/metrics`.
    pub fn totals(&self) -> Vec<Totals> {
        unimplemented!()
    }
    /// What became of the spans, for `/api/v1/stats`.
    pub fn stats(&self) -> Stats {
        unimplemented!()
    }
}

/// Cumulative figures of one provider.
#[derive(Debug, Clone)]
pub struct Totals {
    pub provider: String,
    /// Operation, outcome, calls.
    pub calls: Vec<(String, &'static str, u64)>,
    /// Per outcome: sum of durations in seconds, count, and cumulative counts at [`BUCKETS_S`].
    pub durations: Vec<Durations>,
}

#[derive(Debug, Clone)]
pub struct Durations {
    pub outcome: &'static str,
    pub sum_s: f64,
    pub count: u64,
    /// Calls of at most the bound, one for each of [`BUCKETS_S`].
    pub at_most: Vec<u64>,
}

/// Bounds of the classic histogram in seconds: card and bank timeouts are commonly 15–60 s, and the
/// conventions' own bounds stop at 10.
pub const BUCKETS_S: [f64; 18] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0,
];

/// What the roll-up did with the spans it was given.
#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
pub struct Stats {
    /// Spans read from the journal.
    pub spans: u64,
    /// Of those, calls and attempts counted to a provider.
    pub rolled_up: u64,
    /// Calls that ended more than 15 min before they arrived: counted here, still forwarded.
    pub too_late: u64,
    /// Calls whose end lay after their arrival by more than 2 s.
    pub from_the_future: u64,
    /// Spans whose explicit provider and registry rule for the host disagree.
    pub name_conflicts: u64,
}
