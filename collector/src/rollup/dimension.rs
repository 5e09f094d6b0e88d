//! The keys of one provider in one dimension: a bounded number of rows, the rest together in another, and the
//! heaviest sources of bad calls whatever their number.

use std::collections::{HashMap, HashSet};

use foldhash::fast::FixedState;

use super::breakdown::{FINE_S, MINUTE_S, minute_of};
use super::counts::{Counts, Sample};
use super::heavy::Heaviest;
use super::latency::{Compact, Merged};
use super::observed::Name;
use super::slots::Slots;

/// Rows of a dimension: more than a screen shows, and with 70 providers some 40 MiB when all are busy.
const ROWS_MAX: usize = 64;
/// The table of those that cause most of the bad calls, for the question of whether it is only one of them.
const HEAVY_MAX: usize = 16;
/// Bad calls of the last minute that bring a key a row of its own.
const BAD_MIN: u64 = 3;
/// Keys without a row that are counted as different; above it there are at least so many.
const LOST_MAX: usize = 1024;

/// What calls are broken down by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(usize)]
pub enum Dimension {
    Operation,
    Host,
    Service,
    Endpoint,
}

impl Dimension {
    pub const COUNT: usize = 4;
    pub const ALL: [Dimension; Dimension::COUNT] =
        [Dimension::Operation, Dimension::Host, Dimension::Service, Dimension::Endpoint];

    pub fn name(self) -> &'static str {
        match self {
            Dimension::Operation => "operation",
            Dimension::Host => "host",
            Dimension::Service => "service",
            Dimension::Endpoint => "endpoint",
        }
    }
}

/// One key over some seconds.
#[derive(Debug, Default)]
pub struct Cell {
    pub counts: Counts,
    answered: Compact,
    /// Since the store last asked.
    changed: bool,
    is_loose: bool,
}

impl Cell {
    #[inline]
    fn add(&mut self, sample: &Sample) {
        self.counts.add(sample);
        if sample.outcome.is_answer() {
            self.answered.add(sample.bucket, sample.calls);
            self.is_loose = true;
        }
        self.changed = true;
    }

    fn join(&mut self, other: &Cell) {
        self.counts.merge(&other.counts);
        self.answered.join(&other.answered);
        self.changed |= other.changed;
    }
}

#[derive(Debug)]
struct Row {
    key: Name,
    cells: Slots<Cell>,
}

/// The sum of one key.
#[derive(Debug, Default)]
pub struct RowSum {
    pub counts: Counts,
    pub answered: Merged,
}

#[derive(Debug)]
pub struct Keys {
    rows: Vec<Row>,
    by_key: HashMap<Name, usize, FixedState>,
    /// The row last used: callers send their spans together.
    last: (Name, usize),
    other: Slots<Cell>,
    bad: Heaviest<Name>,
    /// Keys without a row in these 15 minutes and in those before.
    lost: [HashSet<Name>; 2],
    lost_since_s: u64,
}

impl Default for Keys {
    fn default() -> Keys {
        Keys {
            rows: Vec::new(),
            by_key: HashMap::default(),
            last: (Name::OTHER, usize::MAX),
            other: Slots::default(),
            bad: Heaviest::new(HEAVY_MAX),
            lost: Default::default(),
            lost_since_s: 0,
        }
    }
}

impl Keys {
    #[inline]
    pub fn add(&mut self, key: Name, begin_s: u64, sample: &Sample) {
        if self.last.0 != key {
            self.last = (key, self.row(key));
        }
        match self.rows.get_mut(self.last.1) {
            Some(row) => row.cells.at(begin_s).add(sample),
            None => self.other.at(begin_s).add(sample),
        }
        if sample.outcome.is_bad() {
            self.bad.add(key, sample.calls);
        }
    }

    /// The row of a key, made while there is room; past the end = the other one.
    fn row(&mut self, key: Name) -> usize {
        if let Some(&row) = self.by_key.get(&key) {
            return row;
        }
        if key == Name::OTHER || self.rows.len() == ROWS_MAX {
            if self.lost[0].len() < LOST_MAX {
                self.lost[0].insert(key);
            }
            return usize::MAX;
        }
        self.rows.push(Row { key, cells: Slots::default() });
        self.by_key.insert(key, self.rows.len() - 1);
        self.rows.len() - 1
    }

    /// Keys that share the other row, these and the last 15 minutes.
    pub fn lost(&self) -> usize {
        self.lost[0].union(&self.lost[1]).count()
    }

    /// The heaviest sources of bad calls in the last minute.
    pub fn bad(&self) -> Vec<(Name, u64)> {
        self.bad.list()
    }

    /// The keys that have a cell in `from..to`, [`Name::OTHER`] for those without a row.
    pub fn keys(&self, from: u64, to: u64) -> impl Iterator<Item = Name> {
        let rows = self.rows.iter().map(|row| (row.key, &row.cells));
        let all = rows.chain([(Name::OTHER, &self.other)]);
        all.filter(move |(_, cells)| cells.between(from, to).next().is_some()).map(|(key, _)| key)
    }

    /// Adds up one key over the cells that begin in `from..to`.
    pub fn sum_into(&self, key: Name, from: u64, to: u64, sum: &mut RowSum) {
        sum.counts = Counts::default();
        sum.answered.clear();
        let cells = self.by_key.get(&key).map_or(&self.other, |&row| &self.rows[row].cells);
        for (_, cell) in cells.between(from, to) {
            sum.counts.merge(&cell.counts);
            cell.answered.merge_into(&mut sum.answered);
        }
    }

    /// The minutes before `to_s` of which a cell has changed since this was last asked, by key.
    pub fn take_changed(&mut self, to_s: u64) -> Vec<(Name, u64)> {
        let rows = self.rows.iter_mut().map(|row| (row.key, &mut row.cells));
        let mut changed = Vec::new();
        for (key, cells) in rows.chain([(Name::OTHER, &mut self.other)]) {
            for (begin_s, cell) in cells.between_mut(0, to_s) {
                let minute = (key, minute_of(begin_s));
                if std::mem::take(&mut cell.changed) && changed.last() != Some(&minute) {
                    changed.push(minute);
                }
            }
        }
        changed
    }

    /// Takes over what was stored of one minute.
    pub fn restore(&mut self, key: Name, begin_s: u64, counts: &Counts, answered: &[(u16, u64)]) {
        let row = self.row(key);
        let cells = self.rows.get_mut(row).map_or(&mut self.other, |row| &mut row.cells);
        let cell = cells.at(begin_s);
        cell.counts.merge(counts);
        answered.iter().for_each(|&(bucket, calls)| cell.answered.add(bucket, calls));
        cell.answered.settle();
    }

    pub fn tick(&mut self, now_s: u64, fine_s: u64, floor_s: u64) {
        self.bad.tick(now_s);
        if now_s.saturating_sub(self.lost_since_s) >= super::window::SECONDS {
            self.lost = [HashSet::new(), std::mem::take(&mut self.lost[0])];
            self.lost_since_s = now_s;
        }
        let cells = self.rows.iter_mut().map(|row| &mut row.cells).chain([&mut self.other]);
        for cells in cells {
            cells.forget(floor_s);
            let over = cells.between_mut(0, (now_s + 1).saturating_sub(FINE_S));
            for (_, cell) in over.filter(|(_, cell)| cell.is_loose) {
                cell.answered.settle();
                cell.is_loose = false;
            }
            cells.coarsen(fine_s, MINUTE_S, |minute, cell| minute.join(&cell));
        }
        if self.rows.iter().any(|row| row.cells.is_empty()) {
            self.rows.retain(|row| !row.cells.is_empty());
            self.number();
        }
    }

    /// Gives the heaviest source of bad calls that has no row the row of the lightest; that one and its minutes.
    pub fn replace_lightest(&mut self, now_s: u64) -> Option<(Name, Vec<u64>)> {
        if self.rows.len() < ROWS_MAX {
            return None;
        }
        let has_none = |key: &Name| *key != Name::OTHER && !self.by_key.contains_key(key);
        let (newcomer, _) = self.bad().into_iter().find(|(key, bad)| *bad >= BAD_MIN && has_none(key))?;
        let calls = |row: &Row| -> u64 {
            row.cells
                .between(now_s.saturating_sub(MINUTE_S), u64::MAX)
                .map(|(_, cell)| cell.counts.calls())
                .sum()
        };
        let bad = self.bad();
        let is_heavy = |row: &Row| bad.iter().any(|(key, _)| *key == row.key);
        let rows = self.rows.iter().enumerate().filter(|(_, row)| !is_heavy(row));
        let (lightest, _) = rows.min_by_key(|(_, row)| calls(row))?;
        let row = std::mem::replace(&mut self.rows[lightest], Row { key: newcomer, cells: Slots::default() });
        self.number();
        self.lost[0].insert(row.key);
        let mut minutes: Vec<u64> = row.cells.between(0, u64::MAX).map(|(at, _)| minute_of(at)).collect();
        minutes.dedup();
        for (begin_s, cell) in row.cells.into_inner() {
            let other = self.other.at(begin_s);
            other.join(&cell);
            other.changed = true;
        }
        Some((row.key, minutes))
    }

    fn number(&mut self) {
        self.by_key = self.rows.iter().enumerate().map(|(at, row)| (row.key, at)).collect();
        self.last = (Name::OTHER, usize::MAX);
    }
}
