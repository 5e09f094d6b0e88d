//! The thread that follows the journal: read, add, publish once a second, rest.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::Shared;
use super::window::SECONDS;
use crate::journal::{Journal, Position, Record, Skipped};

/// Bytes read at once: some thousand spans, a millisecond with the lock held.
const READ_BYTES: usize = 1 << 20;
/// The rest when there is nothing to read: a span may take 2 s to show, this is the least part of it.
const REST: Duration = Duration::from_millis(25);
/// The rest after the journal could not be read.
const REST_AFTER_ERROR: Duration = Duration::from_secs(1);
/// The window of the board that all readers share.
const BOARD: Duration = Duration::from_secs(60);
/// Reading on over this many bytes is cheaper than looking closer for where to begin.
const NEAR_BYTES: u64 = 4 << 20;

/// The running thread. It ends when this is dropped at the latest.
#[derive(Debug)]
pub struct Thread {
    shared: Arc<Shared>,
    handle: Mutex<Option<JoinHandle<()>>>,
}

impl Thread {
    /// Follows the journal from `stored` on, or without it through its last 15 minutes. What is stored goes up to
    /// `stored_ns`.
    pub fn spawn(journal: Journal, shared: Arc<Shared>, stored: Option<Position>, stored_ns: u64) -> Thread {
        let of_thread = Arc::clone(&shared);
        let unkept = Unkept { stored_ns, started_ns: shared.clock.unix_ns() };
        let handle = thread::Builder::new()
            .name("rollup".to_owned())
            .spawn(move || follow(&journal, &of_thread, stored, &unkept))
            .expect("the process may start a thread; without it there is nothing to show");
        Thread { shared, handle: Mutex::new(Some(handle)) }
    }

    /// Tells the thread to end and waits until it has, some milliseconds.
    pub fn end(&self) {
        self.shared.stops.store(true, Ordering::Release);
        let handle = self.handle.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(handle) = handle {
            handle.thread().unpark();
            if handle.join().is_err() {
                tracing::error!("the roll-up thread panicked");
            }
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.end();
    }
}

fn follow(journal: &Journal, shared: &Shared, stored: Option<Position>, unkept: &Unkept) {
    let end = *journal.end().borrow();
    // Records before it are passed over; after a stored position each one counts.
    let mut since_ns = shared.clock.unix_ns().saturating_sub(SECONDS * 1_000_000_000);
    let begin = match stored {
        Some(position) if position <= end => {
            since_ns = 0;
            position
        }
        _ => {
            if stored.is_some() {
                tracing::warn!(
                    "roll-up: the journal is not the one that was stored; reading its last 15 minutes"
                );
            }
            first_since(journal, since_ns).unwrap_or_else(|error| {
                tracing::warn!(%error, "roll-up: cannot look for the last 15 minutes, reading the journal from its end");
                end
            })
        }
    };
    let mut reader = journal.reader(begin);
    let mut records = Vec::new();
    let mut published_s = 0;
    let mut failed = false;
    let mut missed = Skipped::default();
    let mut reached_ns = 0;
    while !shared.stops.load(Ordering::Acquire) {
        let rest = match reader.read(READ_BYTES, &mut records) {
            Ok(()) if records.is_empty() => REST,
            Ok(()) => Duration::ZERO,
            Err(_) if failed => REST_AFTER_ERROR,
            Err(error) => {
                tracing::error!(%error, "roll-up: cannot read the journal; trying again each second");
                REST_AFTER_ERROR
            }
        };
        failed = rest == REST_AFTER_ERROR;
        reached_ns = add(shared, since_ns, unkept, records.drain(..)).unwrap_or(reached_ns);
        add_unkept(shared);
        let skipped = reader.skipped();
        if skipped != missed {
            missed = skipped;
            shared.fold().missed(skipped.deleted + skipped.corrupt);
        }
        let caught_up = !failed && !shared.is_ready.load(Ordering::Relaxed) && reader.position() >= end;
        let now_s = shared.clock.unix_ns() / 1_000_000_000;
        if now_s != published_s || caught_up {
            let is_live = caught_up || shared.is_ready.load(Ordering::Relaxed);
            publish(shared, if is_live { u64::MAX } else { reached_ns });
            published_s = now_s;
        }
        if caught_up {
            shared.is_ready.store(true, Ordering::Release);
        }
        if !rest.is_zero() {
            thread::park_timeout(rest);
        }
    }
}

/// Which of the batches that were rolled up before they were kept are in the figures that we have.
struct Unkept {
    /// What was stored goes up to here; 0 where nothing was.
    stored_ns: u64,
    started_ns: u64,
}

impl Unkept {
    /// What this process rolled up is there, and what an earlier one did if it was stored.
    fn is_in_figures(&self, record: &Record) -> bool {
        let rolled_up = record.batch.rolled_up_unix_ns();
        rolled_up.is_some_and(|at| at <= self.stored_ns || at >= self.started_ns)
    }
}

/// Adds the records; the arrival of the last one.
fn add(
    shared: &Shared,
    since_ns: u64,
    unkept: &Unkept,
    records: impl ExactSizeIterator<Item = Record>,
) -> Option<u64> {
    if records.len() == 0 {
        return None;
    }
    let mut fold = shared.fold();
    let mut last_ns = None;
    for record in records {
        let arrived_ns = record.batch.received_unix_ns();
        if arrived_ns >= since_ns && !unkept.is_in_figures(&record) {
            fold.add(&record.batch);
        }
        fold.reached(record.next);
        last_ns = Some(arrived_ns);
    }
    last_ns
}

fn add_unkept(shared: &Shared) {
    let batches = shared.inbox.take();
    if !batches.is_empty() {
        let mut fold = shared.fold();
        batches.iter().for_each(|batch| fold.add(batch));
    }
}

/// Old seconds go by the time of what is read, so that what was down for an hour is read as if it had not been.
fn publish(shared: &Shared, reached_ns: u64) {
    let now_ns = shared.clock.unix_ns();
    let mut fold = shared.fold();
    fold.tick(now_ns.min(reached_ns));
    let board = fold.board(now_ns, BOARD);
    drop(fold);
    shared.board.send_replace(Arc::new(board));
}

/// A position at or a little before the first record that arrived at `since_ns` or later. Arrivals ascend with
/// the position but for what parallel requests overtake, so halving finds it without reading the whole log.
fn first_since(journal: &Journal, since_ns: u64) -> io::Result<Position> {
    let (mut low, mut high) = (journal.first().0, journal.end().borrow().0);
    while high.saturating_sub(low) > NEAR_BYTES {
        let middle = low + (high - low) / 2;
        let mut found = Vec::new();
        journal.reader(Position(middle)).read(1, &mut found)?;
        match found.first() {
            Some(record) if record.batch.received_unix_ns() < since_ns => low = record.next.0,
            _ => high = middle,
        }
    }
    Ok(Position(low))
}

#[cfg(test)]
#[path = "thread_tests.rs"]
mod tests;
