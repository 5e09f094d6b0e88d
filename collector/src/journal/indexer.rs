//! The thread that keeps the look-up's books: follows the log, and when a segment is complete writes its index.
//!
//! Follows from memory, as every reader that keeps up, at the lowest priority; the writer never waits for it. Where
//! it could not keep up or a file is gone, it makes the index anew from the segment.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::checkpoint::replace;
use super::cursor::Cursor;
use super::index::{self, Entry, Open};
use super::reader::Reader;
use super::shared::{Segment, Shared};
use super::{Position, origins, segment};

/// Between two looks for new records. What came since the last look is searched as it is, so that nothing need be
/// quick here; and at 50 MB/s it is still in memory.
const REST: Duration = Duration::from_millis(150);

/// The rest after an index could not be made: each attempt reads a whole segment.
const REST_AFTER_ERROR: Duration = Duration::from_secs(10);

/// Read at a time.
const STEP: usize = 1 << 20;

/// Above the daemon's other threads in `nice`, so that it works when they rest.
const NICE: i32 = 10;

/// The running thread.
#[derive(Debug)]
pub struct Indexer {
    stops: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Indexer {
    pub fn start(shared: Arc<Shared>) -> io::Result<Indexer> {
        let stops = Arc::new(AtomicBool::new(false));
        // Before anything is appended: from here on the log is followed.
        let mut work = Work::new(shared);
        let of_thread = Arc::clone(&stops);
        let body = move || {
            let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE);
            work.begin();
            while !of_thread.load(Ordering::Relaxed) {
                if !work.step(&of_thread) {
                    thread::park_timeout(REST);
                }
            }
        };
        let thread = thread::Builder::new().name("journal-index".into()).spawn(body)?;
        Ok(Indexer { stops, thread: Mutex::new(Some(thread)) })
    }

    /// Some milliseconds. What is not written is made anew after the next start.
    pub fn end(&self) {
        self.stops.store(true, Ordering::Relaxed);
        let thread = self.thread.lock().map(|mut thread| thread.take());
        if let Ok(Some(thread)) = thread {
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::error!("the thread of the journal's index panicked");
            }
        }
    }
}

#[derive(Debug)]
pub(super) struct Work {
    shared: Arc<Shared>,
    reader: Reader,
    /// The segment that is followed, and its entries since the last look.
    first: Option<u64>,
    /// No index is made before; set by a failure, which on a full disk will not be the last.
    resume_at: Instant,
}

impl Work {
    pub fn new(shared: Arc<Shared>) -> Work {
        let end = shared.state().end;
        shared.index().position = end;
        let reader = Reader::new(Arc::clone(&shared), Position(end));
        Work { shared, reader, first: None, resume_at: Instant::now() }
    }

    /// Finds out what is there of before the start.
    pub fn begin(&mut self) {
        let disk = &*self.shared.disk;
        let segments = self.shared.state().segments.clone();
        let followed = self.reader.position().0;
        for one in segments.iter().filter(|one| one.header.first < followed && one.len > 0) {
            if !index::is_there(disk, &one.header, one.len) {
                self.shared.index().missing.insert(one.header.first);
            }
        }
        for name in disk.names().unwrap_or_default() {
            let is_left = |first: u64| segments.iter().all(|one| one.header.first != first);
            let is_orphan = segment::first_of_index(&name).is_some_and(is_left);
            if is_orphan || name.ends_with(".traces.new") {
                let _ = disk.remove(&name);
            }
        }
    }

    /// Does a piece of work; false when there is none.
    pub fn step(&mut self, stops: &AtomicBool) -> bool {
        let followed = self.follow();
        if followed {
            return true;
        }
        if Instant::now() < self.resume_at {
            return false;
        }
        let missing = self.shared.index().missing.last().copied();
        let Some(first) = missing else { return false };
        match self.make(first, stops) {
            Ok(()) => true,
            Err(error) => {
                tracing::debug!("cannot make the index of segment {first}: {error}; tried again");
                self.resume_at = Instant::now() + REST_AFTER_ERROR;
                false
            }
        }
    }

    /// Takes what is new. False when that was nothing.
    fn follow(&mut self) -> bool {
        let mut records = Vec::new();
        // An error shows in the other readers, which tell of it.
        let _ = self.reader.read(STEP, &mut records);
        let mut entries = Vec::new();
        for record in &records {
            let Some(first) = self.segment_of(record.position.0) else { continue };
            if self.first != Some(first) {
                self.keep(&mut entries);
                self.finish();
                self.first = Some(first);
                self.shared.index().open.push(Open { first, entries: Vec::new() });
            }
            index::add(&mut entries, record.batch.bytes(), record.position.0 - first);
        }
        self.keep(&mut entries);
        self.shared.index().position = self.reader.position().0;
        !records.is_empty()
    }

    fn segment_of(&self, position: u64) -> Option<u64> {
        let state = self.shared.state();
        state.segment_at(position).map(|at| state.segments[at].header.first)
    }

    fn keep(&mut self, entries: &mut Vec<Entry>) {
        let mut index = self.shared.index();
        if let Some(open) = index.open.last_mut().filter(|open| Some(open.first) == self.first) {
            open.entries.append(entries);
        }
        entries.clear();
    }

    /// The segment that was followed is complete.
    fn finish(&mut self) {
        let Some(first) = self.first.take() else { return };
        let segment = self.segment(first);
        let entries = self.shared.index().open.last().map(|open| open.entries.clone());
        if let (Some(segment), Some(mut entries)) = (segment, entries) {
            let bytes = index::encode(&mut entries, &segment.header, segment.len);
            if self.store(first, &bytes).is_err() {
                self.shared.index().missing.insert(first);
            }
        }
        self.shared.index().open.retain(|open| open.first != first);
        if let Err(error) = self.store_origins(first) {
            tracing::debug!("cannot store which batches of other daemons are here: {error}");
        }
    }

    /// Puts the index beside its segment, unless that was deleted meanwhile.
    fn store(&self, first: u64, bytes: &[u8]) -> io::Result<()> {
        let disk = &*self.shared.disk;
        index::store(disk, first, bytes)?;
        if self.segment(first).is_none() {
            let _ = disk.remove(&segment::index_name(first));
        }
        Ok(())
    }

    fn segment(&self, first: u64) -> Option<Segment> {
        let state = self.shared.state();
        state.segments.iter().find(|one| one.header.first == first).copied()
    }

    /// A batch may be called known only when a power cut can no longer take it: first its segment, then the word.
    fn store_origins(&self, finished: u64) -> io::Result<()> {
        let disk = &*self.shared.disk;
        match disk.open(&segment::file_name(finished)) {
            Ok(file) => file.sync()?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let due = {
            let mut state = self.shared.state();
            let next = state.segments.iter().map(|one| one.header.first).find(|first| *first > finished);
            let is_synced = |(position, _): &mut (u64, Vec<u8>)| next.is_none_or(|next| *position <= next);
            state.origins_due.take_if(is_synced)
        };
        due.map_or(Ok(()), |(_, bytes)| replace(disk, origins::FILE, &bytes))
    }

    /// Makes the index of a segment from its records.
    fn make(&mut self, first: u64, stops: &AtomicBool) -> io::Result<()> {
        let Some(segment) = self.segment(first) else {
            self.shared.index().forget(first);
            return Ok(());
        };
        let mut cursor = Cursor::new(self.shared.disk.open(&segment::file_name(first))?, first);
        let mut entries = Vec::new();
        let mut at = first;
        while let Some(found) = cursor.next(at, segment.end()) {
            index::add(&mut entries, &found.body, found.header.position - first);
            at = found.header.position + found.header.record_len();
            if stops.load(Ordering::Relaxed) {
                return Ok(());
            }
        }
        let bytes = index::encode(&mut entries, &segment.header, segment.len);
        self.store(first, &bytes)?;
        self.shared.index().missing.remove(&first);
        Ok(())
    }
}
