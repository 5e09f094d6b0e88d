//! One provider of the board: its operations, its last 15 minutes, its counters.

use super::breakdown::Breakdown;
use super::counts::Sample;
use super::exemplar::Exemplars;
use super::flight::Flight;
use super::observed::Name;
use super::operations::Operations;
use super::outcome::Outcome;
use super::totals::Counters;
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
    pub breakdown: Breakdown,
    pub exemplars: Exemplars,
    pub flight: Flight,
    pub counters: Counters,
    pub carry: Carry,
    /// End of the newest call that was ok; 0 = none yet.
    pub last_ok_ns: u64,
}

impl Provider {
    pub fn new(
        label: Name,
        name: String,
        registered: Option<usize>,
        stays: bool,
        operations: Operations,
        counters: Counters,
    ) -> Provider {
        Provider {
            name,
            label,
            registered,
            stays,
            operations,
            window: Window::default(),
            breakdown: Breakdown::default(),
            exemplars: Exemplars::default(),
            flight: Flight::default(),
            counters,
            carry: Carry::default(),
            last_ok_ns: 0,
        }
    }

    /// Nothing of it is known any more.
    pub fn is_idle(&self) -> bool {
        self.window.is_empty() && self.flight.is_empty()
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
