//! Keeps every accepted batch in an append-only segmented log, and lets any number of readers follow it.
//!
//! The log is the forwarder's queue, the roll-up's input (live and after a restart) and the store of recent
//! traces. It never holds an unmasked byte, and never lets a reader slow a writer.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::mask::MaskedBatch;
use crate::outcome::Outcomes;

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

/// Why a batch is not in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the journal is full: {max_size} bytes wait for their destination")]
    Full { max_size: u64 },
    #[error("the journal cannot be written: {0}")]
    Disk(io::ErrorKind),
    #[error("the daemon is stopping")]
    Closed,
}

/// Opens or makes the log and starts its writer thread.
pub fn start(_config: Config, _clock: Clock, _outcomes: Arc<Outcomes>) -> io::Result<Journal> {
    unimplemented!()
}

/// The log. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Journal {}

impl Journal {
    /// Appends one batch and answers when it is as safe as [`Durability`] says.
    pub async fn append(&self, _batch: MaskedBatch) -> Result<Position, Refused> {
        unimplemented!()
    }
    /// A reader that starts at the first record at or after `from`.
    pub fn reader(&self, _from: Position) -> Reader {
        unimplemented!()
    }
    /// The oldest record that is still there.
    pub fn first(&self) -> Position {
        unimplemented!()
    }
    /// Where the next record will begin; changes with each write.
    pub fn end(&self) -> watch::Receiver<Position> {
        unimplemented!()
    }
    /// Says that `destination` needs nothing before `position` any more.
    pub fn passed(&self, _destination: &str, _position: Position) {
        unimplemented!()
    }
    pub fn status(&self) -> Status {
        unimplemented!()
    }
    /// Writes what is queued, syncs, and refuses everything after.
    pub async fn close(&self) {
        unimplemented!()
    }
}

/// Follows the log. Reads from memory what is recent, from disk what is not.
#[derive(Debug)]
pub struct Reader {}

impl Reader {
    /// Appends records to `out` until about `bytes` are read or the end is reached; never waits.
    pub fn read(&mut self, _bytes: usize, _out: &mut Vec<Record>) -> io::Result<()> {
        unimplemented!()
    }
    /// Where the next read begins.
    pub fn position(&self) -> Position {
        unimplemented!()
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
