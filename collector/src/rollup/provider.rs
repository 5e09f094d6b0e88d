//! One provider of the board: its operations, its last 15 minutes, its counters.

use super::counts::Sample;
use super::observed::Name;
use super::operations::Operations;
use super::outcome::Outcome;
use super::totals::{Counters, Totals};
use super::weight::Carry;
use super::window::Window;

#[derive(Debug)]
pub struct Provider {
    /// `name` or `name@environment`.
    pub name: String,
    pub label: Name,
    /// Index of its `[[provider]]` table.
    pub registered: Option<usize>,
    /// Shown without traffic: it has a table, and this is its production.
    pub stays: bool,
    pub operations: Operations,
    pub window: Window,
    pub counters: Counters,
    pub carry: Carry,
    /// End of the newest call that was ok; 0 = none yet.
    pub last_ok_ns: u64,
}

impl Provider {
    pub fn totals(&self) -> Totals {
        self.counters.totals(&self.name, self.operations.labels())
    }

    /// Adds one call that ended at `end_ns`; `is_new` = it arrived after the process started.
    #[inline]
    pub fn call(&mut self, operation: usize, end_ns: u64, sample: &Sample, is_late: bool, is_new: bool) {
        self.window.call(end_ns / 1_000_000_000, sample, is_late);
        if sample.outcome == Outcome::Ok {
            self.last_ok_ns = self.last_ok_ns.max(end_ns);
        }
        if is_new {
            self.counters.call(operation, sample);
        }
    }
}
