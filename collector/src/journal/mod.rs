//! Keeps every accepted batch in an append-only segmented log, and lets any number of readers follow it.
//!
//! The log is the forwarder's queue, the roll-up's input (live and after a restart) and the store of recent
//! traces. It never holds an unmasked byte, and never lets a reader slow a writer.

pub mod checkpoint;
mod cursor;
pub mod disk;
mod index;
mod indexer;
mod log;
mod look_up;
mod origins;
mod reader;
mod record;
mod recover;
mod reserve;
mod segment;
mod shared;
pub mod stored;
mod tail;
mod writer;

use std::fs;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{oneshot, watch};

use crate::clock::Clock;
use crate::mask::MaskedBatch;
use crate::outcome::Outcomes;

use disk::{Directory, Disk, Lock};
use indexer::Indexer;
use log::{Limits, Log};
pub use look_up::Found;
use origins::{Claim, Standing};
pub use reader::{Reader, Skipped};
use shared::Shared;
use writer::{Entry, Queue};

#[derive(Debug, Clone)]
pub struct Config {
    /// Directory of the segments and checkpoints; made when missing.
    pub dir: PathBuf,
    /// A segment is closed when it has reached this size.
    pub segment_size: u64,
    /// Bytes that may wait for a destination; above it appends are refused.
    pub max_size: u64,
    /// Passed segments are deleted when they are older, or when all segments together exceed `max_size`.
    pub max_age: Duration,
    pub durability: Durability,
    pub overflow: Overflow,
}

/// What happens when `max_size` bytes wait for a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overflow {
    /// Appends are refused until some are passed.
    Reject,
    /// The oldest segment is deleted; the destination's reader counts what it missed.
    DropOldest,
}

/// When an append is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// After write(2): a killed process loses nothing.
    Process,
    /// After a group fsync: a power cut loses nothing.
    Power,
}

/// A place in the log: bytes since the log began. Grows over segments and restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Position(pub u64);

/// One batch in the log.
#[derive(Debug, Clone)]
pub struct Record {
    pub position: Position,
    /// Where the next record begins.
    pub next: Position,
    /// Spans in the log before this record, since the log began.
    pub spans_before: u64,
    pub batch: MaskedBatch,
}

impl Record {
    fn restored(header: &record::Header, body: Bytes) -> Record {
        let received = header.received_unix_ns;
        let rolled_up =
            header.rolled_up_before_ms.map(|ms| received.saturating_sub(u64::from(ms) * 1_000_000));
        let batch = MaskedBatch::restored(body, header.spans, received, header.hops);
        Record {
            position: Position(header.position),
            next: Position(header.position + header.record_len()),
            spans_before: header.spans_before,
            batch: batch.with_origin(header.origin).rolled_up_at(rolled_up),
        }
    }
}

/// Why a batch was not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the journal is full: {max_size} bytes wait for their destination")]
    Full { max_size: u64 },
    #[error("the journal cannot be written: {0}")]
    Disk(io::ErrorKind),
    #[error("the daemon is stopping")]
    Closed,
    /// It came from another daemon's log, and is in this one already.
    #[error("the batch is in the journal already")]
    Known,
    /// The same, of a part of it.
    #[error("a part of the batch is in the journal already")]
    Overlaps,
    /// The same; another copy of it is being written just now.
    #[error("another copy of the batch is being written")]
    BeingWritten,
}

/// Opens or makes the log and starts its writer thread.
pub fn start(config: Config, clock: Clock, outcomes: Arc<Outcomes>) -> io::Result<Journal> {
    let directory = Directory::open(&config.dir)?;
    let lock = directory.lock()?;
    start_on(Arc::new(directory), Some(lock), Limits::from(config), clock, outcomes)
}

fn start_on(
    disk: Arc<dyn Disk>,
    lock: Option<Lock>,
    limits: Limits,
    clock: Clock,
    outcomes: Arc<Outcomes>,
) -> io::Result<Journal> {
    let log = Log::open(disk, limits, random_instance()?)?;
    let shared = Arc::clone(log.shared());
    let queue = Arc::new(Queue::new());
    let (done_sender, done) = watch::channel(false);
    let thread = {
        let (queue, clock) = (Arc::clone(&queue), clock.clone());
        let body = move || writer::run(log, queue, &clock, &outcomes, lock, done_sender);
        thread::Builder::new().name("journal".into()).spawn(body)?
    };
    let indexer = Indexer::start(Arc::clone(&shared))?;
    let writer = Writer { queue, done, thread: Mutex::new(Some(thread)), indexer };
    Ok(Journal { shared, writer: Arc::new(writer), clock, limits })
}

/// Names a new log. Random, so that what two daemons send to a third can be told apart.
fn random_instance() -> io::Result<u128> {
    let mut bytes = [0; 16];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(u128::from_le_bytes(bytes))
}

/// The log. Cheap to clone; the writer ends with the last clone, after writing what is queued.
#[derive(Debug, Clone)]
pub struct Journal {
    shared: Arc<Shared>,
    writer: Arc<Writer>,
    clock: Clock,
    limits: Limits,
}

#[derive(Debug)]
struct Writer {
    queue: Arc<Queue>,
    done: watch::Receiver<bool>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Ends when the last handle goes.
    indexer: Indexer,
}

impl Journal {
    /// Appends one batch and answers when it is as safe as [`Durability`] says. Waits while the writer has as much
    /// as it may queue. A caller that stops waiting may find the batch in the log all the same.
    ///
    /// A batch that is a part of another daemon's log is written once: [`Refused::Known`] is as good as `Ok`.
    pub async fn append(&self, batch: MaskedBatch) -> Result<Position, Refused> {
        let claim = match batch.origin().map(|origin| Claim::take(&self.shared, origin)).transpose() {
            Ok(claim) => claim,
            Err(Standing::BeingWritten) => return Err(Refused::BeingWritten),
            Err(Standing::Overlaps) => return Err(Refused::Overlaps),
            Err(Standing::Known | Standing::New) => return Err(Refused::Known),
        };
        if self.is_full() && self.limits.overflow == Overflow::Reject {
            return Err(Refused::Full { max_size: self.limits.max_size });
        }
        if batch.bytes().len() > record::BODY_MAX {
            return Err(Refused::Disk(io::ErrorKind::FileTooLarge));
        }
        let body_crc = crc32c::crc32c(batch.bytes());
        let room = self.writer.queue.room(record::header_len(batch.origin()) + batch.bytes().len()).await?;
        let (answer, answered) = oneshot::channel();
        self.writer.queue.push(Entry { batch, body_crc, answer, room, claim })?;
        answered.await.unwrap_or(Err(Refused::Closed))
    }

    /// A reader that starts at the first record at or after `from`.
    pub fn reader(&self, from: Position) -> Reader {
        Reader::new(Arc::clone(&self.shared), from)
    }

    /// The oldest record that is still there.
    pub fn first(&self) -> Position {
        let state = self.shared.state();
        Position(state.segments.first().map_or(state.end, |segment| segment.header.first))
    }

    /// The end of the log: all records before it can be read. Changes with each write.
    pub fn end(&self) -> watch::Receiver<Position> {
        self.shared.end.subscribe()
    }

    /// Spans written since the log began, over all restarts.
    pub fn spans(&self) -> u64 {
        self.shared.state().spans
    }

    /// Names this log among all others; stays the same over restarts.
    pub fn instance(&self) -> u128 {
        self.shared.state().instance
    }

    /// Says that `destination` needs nothing before `position` any more, not even after a power cut. The first
    /// time it makes the destination known: from then on nothing that it has not passed is deleted, and what waits
    /// for it counts against `max_size`. Never goes back.
    pub fn passed(&self, destination: &str, position: Position) {
        self.shared.passed(destination, position);
        self.writer.queue.ask_to_retain();
    }

    /// As much waits for a destination as may.
    pub fn is_full(&self) -> bool {
        self.shared.waiting_bytes.load(Ordering::Relaxed) >= self.limits.max_size
    }

    /// Shows `visit` the records that hold spans of a trace, oldest first, until it says false. A record may come
    /// whose spans are of others: what is looked at is a fingerprint. Reads files.
    pub fn find(&self, trace_id: &[u8; 16], visit: &mut dyn FnMut(&Record) -> bool) -> io::Result<Found> {
        look_up::find(&self.shared, trace_id, visit)
    }

    /// False when the last write failed.
    pub fn is_writable(&self) -> bool {
        self.shared.writable.load(Ordering::Relaxed)
    }

    pub fn status(&self) -> Status {
        let state = self.shared.state();
        let oldest = state.segments.iter().find(|segment| segment.len > 0);
        let age_ns =
            oldest.map_or(0, |oldest| self.clock.unix_ns().saturating_sub(oldest.header.created_unix_ns));
        Status {
            position: state.end,
            bytes: state.bytes(),
            oldest_s: age_ns as f64 / 1e9,
            corrupt_records: state.corrupt_records(),
        }
    }

    /// Writes what is queued, syncs, and refuses everything after. Readers may read on.
    pub async fn close(&self) {
        self.writer.queue.close();
        // An error means that the thread is gone without a word, which is just as good.
        let _ = self.writer.done.clone().wait_for(|done| *done).await;
        self.writer.join();
    }
}

impl Writer {
    fn join(&self) {
        let thread = self.thread.lock().map(|mut thread| thread.take());
        if let Ok(Some(thread)) = thread
            && thread.join().is_err()
        {
            tracing::error!("the journal's writer thread panicked");
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.close();
        self.join();
        self.indexer.end();
    }
}

/// What `/api/v1/stats` says of the journal.
#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
pub struct Status {
    pub position: u64,
    pub bytes: u64,
    pub oldest_s: f64,
    pub corrupt_records: u64,
}

#[cfg(test)]
mod simulated_disk;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
