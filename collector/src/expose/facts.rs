//! What the answers are made of: the read handles of every stage behind one trait, so that tests need no stage.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::{Health, Sources};
use crate::journal::Position;
use crate::mask::MaskedBatch;
use crate::outcome::Outcomes;
use crate::rollup::{self, Board, Series, Totals};
use crate::{forward, journal};

/// Journal bytes read at a time by a look-up.
const SCAN_STEP: usize = 4 << 20;

pub(super) trait Facts: Send + Sync + 'static {
    fn unix_ns(&self) -> u64;
    fn outcomes(&self) -> &Outcomes;
    fn health(&self) -> &Health;
    /// False while the roll-up still reads the journal of before the start.
    fn recovered(&self) -> bool;
    fn boards(&self) -> watch::Receiver<Arc<Board>>;
    fn window(&self, window: Duration) -> Board;
    fn series(&self, name: &str, from_s: u64, to_s: u64, step_s: u64) -> Option<Series>;
    fn totals(&self) -> Vec<Totals>;
    fn rollup(&self) -> rollup::Stats;
    fn journal(&self) -> journal::Status;
    fn destinations(&self) -> Vec<(String, forward::Status)>;
    /// Shows `visit` the batches of the last `bytes` of the journal, oldest first, until it says false. Blocks.
    fn recent(&self, bytes: u64, visit: &mut dyn FnMut(&MaskedBatch) -> bool) -> io::Result<()>;
}

impl Facts for Sources {
    fn unix_ns(&self) -> u64 {
        self.clock.unix_ns()
    }

    fn outcomes(&self) -> &Outcomes {
        &self.outcomes
    }

    fn health(&self) -> &Health {
        &self.health
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

    fn totals(&self) -> Vec<Totals> {
        self.rollup.totals()
    }

    fn rollup(&self) -> rollup::Stats {
        self.rollup.stats()
    }

    fn journal(&self) -> journal::Status {
        self.journal.status()
    }

    fn destinations(&self) -> Vec<(String, forward::Status)> {
        self.destinations.iter().map(|one| (one.name().to_owned(), one.status())).collect()
    }

    fn recent(&self, bytes: u64, visit: &mut dyn FnMut(&MaskedBatch) -> bool) -> io::Result<()> {
        let end = *self.journal.end().borrow();
        let from = Position(end.0.saturating_sub(bytes)).max(self.journal.first());
        let mut reader = self.journal.reader(from);
        let mut records = Vec::new();
        // Batches that arrive during the look-up are not waited for: it must come to an end.
        while reader.position() < end {
            let before = reader.position();
            reader.read(SCAN_STEP, &mut records)?;
            if reader.position() == before {
                break;
            }
            for record in records.drain(..) {
                if !visit(&record.batch) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}
