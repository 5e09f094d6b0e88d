//! Windows and databases for tests.

use rusqlite::Connection;
use tempfile::TempDir;

use super::file;
use crate::rollup::{Counts, StoredWindow, bucket};

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

pub fn database() -> (TempDir, Connection) {
    let dir = tempfile::tempdir().unwrap();
    let connection = file::open(&dir.path().join("spanmill.db")).unwrap();
    (dir, connection)
}
