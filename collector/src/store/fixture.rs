//! Windows, databases and running stores for tests.

use std::path::Path;
use std::sync::{Arc, Mutex};

use rusqlite::Connection;
use tempfile::TempDir;

use super::feed::Feed;
use super::{Config, Error, Opened, Store, file, open_for, start};
use crate::clock::Clock;
use crate::journal::Position;
use crate::rollup::{Changed, Counts, Dimension, Restored, StoredBreakdown, StoredWindow, bucket};

/// 2026-11-22T20:15:00Z
pub const NOW_S: u64 = 1_795_378_500;

/// `calls` calls, the first of them failed where there are at least two; the n-th took n ms.
pub fn window(provider: &str, begin_s: u64, calls: u64) -> StoredWindow {
    let mut counts =
        Counts { attempts: calls / 2, converted: calls / 3, convertible: calls / 2, ..Counts::default() };
    let mut answered = Vec::new();
    let mut other = Vec::new();
    for ms in 1..=calls {
        let ns = ms * 1_000_000;
        let (outcome, histogram) = if ms == 1 && calls > 1 { (3, &mut other) } else { (0, &mut answered) };
        counts.by_outcome[outcome] += 1;
        counts.sum_ns += ns;
        counts.max_ns = ns;
        match histogram.last_mut() {
            Some((last, count)) if *last == bucket(ns) => *count += 1,
            _ => histogram.push((bucket(ns), 1)),
        }
    }
    StoredWindow { provider: provider.to_owned(), begin_s, counts, answered, other, late: calls % 2 }
}

/// The same calls to one host, over a minute.
pub fn breakdown(provider: &str, key: &str, begin_s: u64, calls: u64) -> StoredBreakdown {
    let StoredWindow { provider, counts, answered, .. } = window(provider, begin_s, calls);
    let counts = Counts { converted: 0, convertible: 0, ..counts };
    StoredBreakdown { provider, by: Dimension::Host, key: key.to_owned(), begin_s, counts, answered }
}

pub fn database() -> (TempDir, Connection) {
    let dir = tempfile::tempdir().unwrap();
    let connection = file::open(&dir.path().join("spanmill.db")).unwrap();
    (dir, connection)
}

/// What the roll-up would say: whatever a test has put in.
#[derive(Clone, Default)]
pub struct Fake(Arc<Mutex<(Vec<StoredWindow>, u64)>>, Arc<Mutex<Vec<StoredBreakdown>>>);

impl Fake {
    /// From now on the windows are to be stored, and the position is `position`.
    pub fn put(&self, windows: impl IntoIterator<Item = StoredWindow>, position: u64) {
        let mut inner = self.0.lock().unwrap();
        inner.0.extend(windows);
        inner.1 = position;
    }
}

impl Fake {
    /// From now on these are to be stored too.
    pub fn put_breakdowns(&self, breakdowns: impl IntoIterator<Item = StoredBreakdown>) {
        self.1.lock().unwrap().extend(breakdowns);
    }
}

impl Feed for Fake {
    fn changed(&self) -> Changed {
        let mut inner = self.0.lock().unwrap();
        Changed {
            windows: std::mem::take(&mut inner.0),
            breakdowns: std::mem::take(&mut self.1.lock().unwrap()),
            position: Position(inner.1),
        }
    }
    fn is_ready(&self) -> bool {
        true
    }
    fn instance(&self) -> u128 {
        7
    }
    fn end(&self) -> Position {
        Position(self.0.lock().unwrap().1)
    }
}

pub fn opened(dir: &Path, clock: &Clock, end: u64) -> Result<(Opened, Restored), Error> {
    let config = Config { path: dir.join("spanmill.db") };
    open_for(&config, clock, 7, Position(0), Position(end))
}

/// A running store that has made its first checkpoint, which it does by itself.
pub async fn store(dir: &Path, clock: &Clock) -> (Store, Fake) {
    let feed = Fake::default();
    let store = start(opened(dir, clock, 0).unwrap().0, feed.clone()).unwrap();
    store.checkpoint().await;
    (store, feed)
}
