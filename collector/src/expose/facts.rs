//! What the answers are made of: the read handles of every stage behind one trait, so that tests need no stage.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{broadcast, watch};

use super::Sources;
use crate::detect::{Alert, Standings};
use crate::journal::{Journal, Position, Record};
use crate::outcome::Outcomes;
use crate::rollup::{
    self, Board, BreakdownTable, Dimension, Exemplar, Heatmap, Kind, Series, Totals, UnmappedPeer,
};
use crate::store::Store;
use crate::{forward, journal, notify};

/// Journal bytes read at a time by a look-up.
const SCAN_STEP: usize = 4 << 20;

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
    /// What the detector says of every provider, each second.
    fn standings(&self) -> Standings;
    /// Alerts that begin, change or end from now on.
    fn alerts(&self) -> broadcast::Receiver<Arc<Alert>>;
    /// One for each receiver of alerts.
    fn notifiers(&self) -> Vec<notify::Status>;
    /// Alerts that nobody was told of, as their provider was muted.
    fn suppressed(&self) -> u64;
    fn journal(&self) -> journal::Status;
    /// False when the last write failed.
    fn journal_writable(&self) -> bool;
    fn destinations(&self) -> Vec<(String, forward::Status)>;
    /// Shows `visit` the records of the last `bytes` of the journal, oldest first, until it says false. Blocks.
    fn recent(&self, bytes: u64, visit: &mut dyn FnMut(&Record) -> bool) -> io::Result<()>;
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

    fn recent(&self, bytes: u64, visit: &mut dyn FnMut(&Record) -> bool) -> io::Result<()> {
        scan(&self.journal, bytes, visit)
    }

    fn standings(&self) -> Standings {
        self.standings.clone()
    }

    fn alerts(&self) -> broadcast::Receiver<Arc<Alert>> {
        self.alerts.subscribe()
    }

    fn notifiers(&self) -> Vec<notify::Status> {
        self.notifier.status()
    }

    fn suppressed(&self) -> u64 {
        self.notifier.suppressed()
    }
}

fn scan(journal: &Journal, bytes: u64, visit: &mut dyn FnMut(&Record) -> bool) -> io::Result<()> {
    let end = *journal.end().borrow();
    let from = Position(end.0.saturating_sub(bytes)).max(journal.first());
    let mut reader = journal.reader(from);
    let mut records = Vec::new();
    // Batches that arrive meanwhile are not waited for: a look-up must come to an end.
    while reader.position() < end {
        let before = reader.position();
        reader.read(SCAN_STEP, &mut records)?;
        if reader.position() == before {
            break;
        }
        for record in records.drain(..) {
            if !visit(&record) {
                return Ok(());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tempfile::TempDir;

    use super::*;
    use crate::clock::Clock;
    use crate::journal::{Config, Durability};
    use crate::mask::MaskedBatch;

    /// A journal of 200 batches of 1,000 bytes in segments of about sixteen.
    async fn journal(dir: &TempDir) -> Journal {
        let config = Config {
            dir: dir.path().to_owned(),
            segment_size: 16 << 10,
            max_size: 1 << 30,
            max_age: Duration::from_secs(3600),
            durability: Durability::Process,
        };
        let journal = journal::start(config, Clock::manual(1), Arc::default()).unwrap();
        for number in 0..200 {
            let body = Bytes::from(vec![number; 1000]);
            journal.append(MaskedBatch::restored(body, 1, 1, 0)).await.unwrap();
        }
        journal
    }

    fn seen(journal: &Journal, bytes: u64) -> Vec<u8> {
        let mut seen = Vec::new();
        scan(journal, bytes, &mut |record| {
            seen.push(record.batch.bytes()[0]);
            true
        })
        .unwrap();
        seen
    }

    #[tokio::test]
    async fn a_scan_sees_the_end_of_the_journal_as_far_back_as_it_is_told() {
        let dir = TempDir::new().unwrap();
        let journal = journal(&dir).await;
        assert_eq!(seen(&journal, u64::MAX), (0..200).collect::<Vec<u8>>());
        let last = seen(&journal, 50_000);
        assert!((40..=50).contains(&last.len()), "{last:?}");
        assert_eq!(last, (200 - last.len() as u8..200).collect::<Vec<u8>>());
        assert!(seen(&journal, 0).is_empty());
    }

    #[tokio::test]
    async fn a_scan_ends_when_the_visitor_has_enough() {
        let dir = TempDir::new().unwrap();
        let journal = journal(&dir).await;
        let mut left = 3;
        scan(&journal, u64::MAX, &mut |_| {
            left -= 1;
            left > 0
        })
        .unwrap();
        assert_eq!(left, 0);
    }
}
