//! What the answers are made of: the read handles of every stage behind one trait, so that tests need no stage.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;

use super::Sources;
use crate::journal::{Found, Record};
use crate::outcome::Outcomes;
use crate::rollup::{
    self, Board, BreakdownTable, Dimension, Exemplar, Heatmap, Kind, Series, Totals, UnmappedPeer,
};
use crate::store::Store;
use crate::{forward, journal};

pub(super) trait Facts: Send + Sync + 'static {
    fn unix_ns(&self) -> u64;
    fn outcomes(&self) -> &Outcomes;
    /// True once nothing new is taken.
    fn draining(&self) -> bool;
    /// False while the roll-up still reads the journal of before the start.
    fn recovered(&self) -> bool;
    fn boards(&self) -> watch::Receiver<Arc<Board>>;
    fn window(&self, window: Duration) -> Board;
    fn series(&self, name: &str, from_s: u64, to_s: u64, step_s: u64) -> Option<Series>;
    fn breakdown(&self, name: &str, by: Dimension, window: Duration) -> Option<BreakdownTable>;
    fn exemplars(&self, name: &str, kind: Kind, window: Duration) -> Option<Vec<Exemplar>>;
    fn heatmap(&self, name: &str, from_s: u64, to_s: u64, step_s: u64) -> Option<Heatmap>;
    fn unmapped(&self) -> Vec<UnmappedPeer>;
    /// Hosts whose clock is off, and by how many seconds.
    fn skews(&self) -> Vec<(String, f64)>;
    /// Reads the configuration again, or says why the old one stays.
    fn reload(&self) -> Result<(), String>;
    fn totals(&self) -> Vec<Totals>;
    fn rollup(&self) -> rollup::Stats;
    fn store(&self) -> &Store;
    fn journal(&self) -> journal::Status;
    /// False when the last write failed.
    fn journal_writable(&self) -> bool;
    fn destinations(&self) -> Vec<(String, forward::Status)>;
    /// True when as much waits for a destination as may.
    fn journal_full(&self) -> bool;
    /// Shows `visit` the records that may hold spans of a trace, oldest first, until it says false. Blocks.
    fn find(&self, trace_id: &[u8; 16], visit: &mut dyn FnMut(&Record) -> bool) -> io::Result<Found>;
}

impl Facts for Sources {
    fn unix_ns(&self) -> u64 {
        self.clock.unix_ns()
    }

    fn outcomes(&self) -> &Outcomes {
        &self.outcomes
    }

    fn draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    fn recovered(&self) -> bool {
        self.rollup.is_ready()
    }

    fn boards(&self) -> watch::Receiver<Arc<Board>> {
        self.rollup.board()
    }

    fn window(&self, window: Duration) -> Board {
        self.rollup.window(window)
    }

    fn series(&self, name: &str, from_s: u64, to_s: u64, step_s: u64) -> Option<Series> {
        self.rollup.series(name, from_s, to_s, step_s)
    }

    fn breakdown(&self, name: &str, by: Dimension, window: Duration) -> Option<BreakdownTable> {
        self.rollup.breakdown(name, by, window)
    }

    fn exemplars(&self, name: &str, kind: Kind, window: Duration) -> Option<Vec<Exemplar>> {
        self.rollup.exemplars(name, kind, window)
    }

    fn heatmap(&self, name: &str, from_s: u64, to_s: u64, step_s: u64) -> Option<Heatmap> {
        self.rollup.heatmap(name, from_s, to_s, step_s)
    }

    fn unmapped(&self) -> Vec<UnmappedPeer> {
        self.rollup.unmapped()
    }

    fn skews(&self) -> Vec<(String, f64)> {
        self.rollup.skews()
    }

    fn reload(&self) -> Result<(), String> {
        self.reload.now()
    }

    fn totals(&self) -> Vec<Totals> {
        self.rollup.totals()
    }

    fn rollup(&self) -> rollup::Stats {
        self.rollup.stats()
    }

    fn store(&self) -> &Store {
        &self.store
    }

    fn journal(&self) -> journal::Status {
        self.journal.status()
    }

    fn journal_writable(&self) -> bool {
        self.journal.is_writable()
    }

    fn destinations(&self) -> Vec<(String, forward::Status)> {
        self.destinations.iter().map(|one| (one.name().to_owned(), one.status())).collect()
    }

    fn journal_full(&self) -> bool {
        self.journal.is_full()
    }

    fn find(&self, trace_id: &[u8; 16], visit: &mut dyn FnMut(&Record) -> bool) -> io::Result<Found> {
        self.journal.find(trace_id, visit)
    }
}
