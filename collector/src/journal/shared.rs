//! What the writer publishes and everyone else reads: the segments, the end, the tail, who has passed what.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::watch;

use super::disk::Disk;
use super::index::Index;
use super::origins::Origins;
use super::tail::Tail;
use super::{Position, Record, segment};

/// Damaged places that are remembered so as to count each once, however many readers meet it. Beyond that
/// many the disk is lost anyway and the figure stands still.
const CORRUPT_MAX: usize = 65_536;

#[derive(Debug)]
pub struct Shared {
    pub disk: Arc<dyn Disk>,
    /// Where the next record will begin.
    pub end: watch::Sender<Position>,
    /// Bytes that the slowest destination has not passed; a copy, so that an append takes no lock to see it.
    pub waiting_bytes: AtomicU64,
    /// False after a failed write until one succeeds.
    pub writable: AtomicBool,
    state: Mutex<State>,
    origins: Mutex<Origins>,
    /// Where traces are, as far as that is in memory.
    index: Mutex<Index>,
}

#[derive(Debug, Default)]
pub struct State {
    pub instance: u128,
    /// Oldest first.
    pub segments: Vec<Segment>,
    pub end: u64,
    /// Spans in the log since it began.
    pub spans: u64,
    pub tail: Tail,
    /// The origins as they were at this position, until they are stored.
    pub origins_due: Option<(u64, Vec<u8>)>,
    destinations: BTreeMap<String, u64>,
    corrupt: BTreeSet<u64>,
}

/// One file of the log.
#[derive(Debug, Clone, Copy)]
pub struct Segment {
    pub header: segment::Header,
    /// Bytes of records in it.
    pub len: u64,
    /// When its last record arrived, or later.
    pub newest_unix_ns: u64,
    /// Bytes of records in the segments before it, of those that were there at the start of the process.
    pub bytes_before: u64,
}

impl Segment {
    pub fn end(&self) -> u64 {
        self.header.first + self.len
    }
}

impl Shared {
    pub fn new(disk: Arc<dyn Disk>, state: State) -> Shared {
        Shared {
            disk,
            end: watch::Sender::new(Position(state.end)),
            waiting_bytes: AtomicU64::new(0),
            writable: AtomicBool::new(true),
            state: Mutex::new(state),
            origins: Mutex::default(),
            index: Mutex::default(),
        }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the journal's state")
    }

    pub fn origins(&self) -> MutexGuard<'_, Origins> {
        self.origins.lock().expect("nothing panics while it holds the journal's origins")
    }

    pub fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().expect("nothing panics while it holds the journal's index")
    }

    /// The records are written: from now on readers see them.
    pub fn publish(&self, records: impl Iterator<Item = Record>) {
        let end = {
            let mut state = self.state();
            for record in records {
                if let Some(origin) = record.batch.origin() {
                    self.origins().cover(origin);
                }
                state.add(record);
            }
            self.waiting_bytes.store(state.waiting_bytes(), Ordering::Relaxed);
            state.end
        };
        self.end.send_replace(Position(end));
    }

    /// The oldest segment is gone.
    pub fn deleted_oldest(&self) -> Segment {
        let mut state = self.state();
        let oldest = state.segments.remove(0);
        self.waiting_bytes.store(state.waiting_bytes(), Ordering::Relaxed);
        oldest
    }

    pub fn passed(&self, destination: &str, position: Position) {
        let mut state = self.state();
        match state.destinations.get_mut(destination) {
            Some(passed) => *passed = position.0.max(*passed),
            None => drop(state.destinations.insert(destination.to_owned(), position.0)),
        }
        self.waiting_bytes.store(state.waiting_bytes(), Ordering::Relaxed);
    }
}

impl State {
    fn add(&mut self, record: Record) {
        let active = self.segments.last_mut().expect("a record is written to the last segment");
        active.len += record.next.0 - record.position.0;
        active.newest_unix_ns = record.batch.received_unix_ns().max(active.newest_unix_ns);
        self.end = record.next.0;
        self.spans = record.spans_before + u64::from(record.batch.spans());
        self.tail.push(record);
    }

    /// The segment in which `position` lies or would lie.
    pub fn segment_at(&self, position: u64) -> Option<usize> {
        self.segments.partition_point(|segment| segment.header.first <= position).checked_sub(1)
    }

    /// Everything before it is in nobody's way.
    pub fn passed_by_all(&self) -> u64 {
        self.destinations.values().copied().min().unwrap_or(u64::MAX)
    }

    /// Bytes in all segments, headers apart.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.len).sum()
    }

    fn waiting_bytes(&self) -> u64 {
        let Some(last) = self.segments.last() else { return 0 };
        let passed = self.passed_by_all();
        let passed_bytes = self.segment_at(passed).map_or(self.segments[0].bytes_before, |at| {
            let segment = &self.segments[at];
            segment.bytes_before + (passed - segment.header.first).min(segment.len)
        });
        last.bytes_before + last.len - passed_bytes
    }

    /// Something damaged begins at `position`.
    pub fn note_corrupt(&mut self, position: u64) {
        if self.corrupt.len() < CORRUPT_MAX && self.corrupt.insert(position) {
            tracing::warn!("the journal is damaged at position {position}; what cannot be read is skipped");
        }
    }

    pub fn corrupt_records(&self) -> u64 {
        self.corrupt.len() as u64
    }
}
