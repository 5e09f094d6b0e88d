//! Follows the log: recent records from memory, older ones from the segments, past whatever is damaged or gone.

use std::io;
use std::sync::Arc;

use super::cursor::{Cursor, Found};
use super::segment;
use super::shared::{Segment, Shared, State};
use super::{Position, Record};

/// Follows the log. Reads from memory what is recent, from disk what is not.
#[derive(Debug)]
pub struct Reader {
    shared: Arc<Shared>,
    position: u64,
    /// What the next record's `spans_before` should be; `None` until it is known.
    spans_due: Option<u64>,
    cursor: Option<Cursor>,
    /// The last jump was over segments that had been deleted.
    jumped: bool,
    skipped: Skipped,
}

/// Spans that a reader could not be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Skipped {
    /// Their segments had been deleted before the reader came to them.
    pub deleted: u64,
    /// Their records are damaged or lost.
    pub corrupt: u64,
}

enum Next {
    Done,
    Again,
    Disk(Segment),
}

impl Reader {
    pub(super) fn new(shared: Arc<Shared>, from: Position) -> Reader {
        Reader {
            shared,
            position: from.0,
            spans_due: None,
            cursor: None,
            jumped: false,
            skipped: Skipped::default(),
        }
    }

    /// Says how many spans lie before the position to start from, so that what is missing there is counted too.
    pub fn with_spans_before(mut self, spans: u64) -> Reader {
        self.spans_due = Some(spans);
        self
    }

    /// Where the next read begins.
    pub fn position(&self) -> Position {
        Position(self.position)
    }

    /// Spans in the log before the next record; `None` until that is known.
    pub fn spans_before(&self) -> Option<u64> {
        self.spans_due
    }

    /// Spans that were in the log and could not be read, since this reader was made.
    pub fn skipped(&self) -> Skipped {
        self.skipped
    }

    /// Appends records to `out` until about `bytes` are read or the end is reached; never waits.
    pub fn read(&mut self, bytes: usize, out: &mut Vec<Record>) -> io::Result<()> {
        let mut left = bytes as u64;
        while left > 0 {
            match self.memory(&mut left, out) {
                Next::Done => return Ok(()),
                Next::Again => {}
                Next::Disk(segment) => self.disk(&segment, &mut left, out)?,
            }
        }
        Ok(())
    }

    /// Takes what is in memory, or finds out where to go on.
    fn memory(&mut self, left: &mut u64, out: &mut Vec<Record>) -> Next {
        let shared = Arc::clone(&self.shared);
        let state = shared.state();
        let Some(records) = state.tail.from(Position(self.position)) else {
            return self.place(&state);
        };
        self.cursor = None;
        for record in records {
            if *left == 0 {
                return Next::Done;
            }
            self.take(record.clone(), left, out);
        }
        self.finish(&state);
        Next::Done
    }

    /// Finds the segment to read, or the place to jump to.
    fn place(&mut self, state: &State) -> Next {
        let Some(at) = state.segment_at(self.position) else {
            let Some(oldest) = state.segments.first() else {
                self.finish(state);
                return Next::Done;
            };
            self.position = oldest.header.first;
            self.jumped = true;
            return Next::Again;
        };
        if self.position < state.segments[at].end() {
            return Next::Disk(state.segments[at]);
        }
        match state.segments.get(at + 1) {
            Some(next) => {
                self.position = next.header.first;
                Next::Again
            }
            None => {
                self.finish(state);
                Next::Done
            }
        }
    }

    fn disk(&mut self, segment: &Segment, left: &mut u64, out: &mut Vec<Record>) -> io::Result<()> {
        let Some(mut cursor) = self.open(segment)? else { return Ok(()) };
        while *left > 0 && self.position < segment.end() {
            let Some(Found { header, body }) = cursor.next(self.position, segment.end()) else {
                if self.is_deleted(segment) {
                    self.jumped = true;
                } else {
                    self.corrupt();
                }
                self.position = segment.end();
                break;
            };
            if header.position > self.position {
                self.corrupt();
            }
            self.take(Record::restored(&header, body), left, out);
        }
        // Not held open beyond its end: the disk gets a deleted file's room back only when nobody has it open.
        self.cursor = Some(cursor).filter(|_| self.position < segment.end());
        Ok(())
    }

    /// The writer empties what it deletes before it was passed, so that we find nothing in what we have open.
    fn is_deleted(&self, segment: &Segment) -> bool {
        let first = segment.header.first;
        self.shared.state().segments.iter().all(|one| one.header.first != first)
    }

    /// The cursor over `segment`; `None` when its file is gone.
    fn open(&mut self, segment: &Segment) -> io::Result<Option<Cursor>> {
        let first = segment.header.first;
        if let Some(cursor) = self.cursor.take_if(|cursor| cursor.first() == first) {
            return Ok(Some(cursor));
        }
        match self.shared.disk.open(&segment::file_name(first)) {
            Ok(file) => Ok(Some(Cursor::new(file, first))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Deleted since we looked, by the writer or by somebody else: what comes after it is next.
                self.position = segment.end();
                self.jumped = true;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn take(&mut self, record: Record, left: &mut u64, out: &mut Vec<Record>) {
        self.account(record.spans_before);
        self.spans_due = Some(record.spans_before + u64::from(record.batch.spans()));
        self.position = record.next.0;
        *left = left.saturating_sub(record.next.0 - record.position.0);
        out.push(record);
    }

    /// Nothing follows: the next record will begin at the end of the log, which may lie beyond a gap.
    fn finish(&mut self, state: &State) {
        self.account(state.spans);
        self.spans_due = Some(state.spans);
        self.position = self.position.max(state.end);
    }

    /// The spans before the next record are `spans_before`; what is missing up to there was skipped.
    fn account(&mut self, spans_before: u64) {
        let missing = spans_before.saturating_sub(self.spans_due.unwrap_or(spans_before));
        if self.jumped {
            self.skipped.deleted += missing;
        } else {
            self.skipped.corrupt += missing;
        }
        self.jumped = false;
    }

    fn corrupt(&self) {
        // Before its first record a reader may simply have been started between two.
        if self.spans_due.is_some() {
            self.shared.state().note_corrupt(self.position);
        }
    }
}
