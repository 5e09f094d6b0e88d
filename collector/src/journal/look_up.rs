//! Finds the records of one trace: by the index where there is one, by reading where there is none yet.

use std::io;
use std::sync::Arc;

use memchr::memmem::Finder;

use super::cursor::Cursor;
use super::index::{self, fingerprint};
use super::reader::Reader;
use super::shared::{Segment, Shared};
use super::{Position, Record, segment};

/// Segments without an index that are read as a whole, the newest first: some 100 ms. Where more of them are missing
/// the daemon has just started, and their indexes are being made.
const UNINDEXED_BYTES_MAX: u64 = 256 << 20;

/// Read at a time at the end of the log.
const STEP: usize = 4 << 20;

/// How complete the look-up was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Found {
    /// Bytes of segments that have no index yet and were left out.
    pub not_searched: u64,
}

type Visit<'a> = &'a mut dyn FnMut(&Record) -> bool;

/// Where to look in one segment.
enum Where {
    Places(Vec<u64>),
    Everywhere,
}

pub fn find(shared: &Arc<Shared>, trace_id: &[u8; 16], visit: Visit<'_>) -> io::Result<Found> {
    let mut found = Found::default();
    let (segments, followed, end) = {
        let (state, index) = (shared.state(), shared.index());
        (state.segments.clone(), index.position, state.end)
    };
    let mut plan = Vec::new();
    let mut unindexed = 0;
    for one in segments.iter().rev().filter(|one| one.header.first < followed) {
        let place = match places(shared, one, trace_id) {
            // What was indexed since we looked is searched as the end of the log.
            Some(mut places) => {
                places.retain(|place| one.header.first + place < followed);
                Where::Places(places)
            }
            None if unindexed + one.len <= UNINDEXED_BYTES_MAX => {
                unindexed += one.len;
                Where::Everywhere
            }
            None => {
                found.not_searched += one.len;
                continue;
            }
        };
        plan.push((*one, place));
    }
    for (one, place) in plan.iter().rev() {
        let goes_on = match place {
            Where::Places(places) => read(shared, one, places, visit)?,
            Where::Everywhere => scan(shared, one.header.first, one.end().min(followed), trace_id, visit)?,
        };
        if !goes_on {
            return Ok(found);
        }
    }
    scan(shared, followed, end, trace_id, visit)?;
    Ok(found)
}

/// The places in a segment; `None` = nobody knows.
fn places(shared: &Shared, one: &Segment, trace_id: &[u8; 16]) -> Option<Vec<u64>> {
    let fingerprint = fingerprint(trace_id);
    {
        let index = shared.index();
        if index.missing.contains(&one.header.first) {
            return None;
        }
        if let Some(open) = index.open.iter().find(|open| open.first == one.header.first) {
            let same = open.entries.iter().filter(|entry| entry.fingerprint() == fingerprint);
            let mut places: Vec<u64> = same.map(|entry| entry.place()).collect();
            places.dedup();
            return Some(places);
        }
    }
    // By its present length: it may have been written to since the look-up began.
    let first = one.header.first;
    let len = shared.state().segments.iter().find(|one| one.header.first == first)?.len;
    let places = index::places(&*shared.disk, &one.header, len, fingerprint);
    if places.is_none() && one.len > 0 {
        shared.index().missing.insert(one.header.first);
    }
    places
}

/// Shows the records at `places`; false when that was enough.
fn read(shared: &Shared, one: &Segment, places: &[u64], visit: Visit<'_>) -> io::Result<bool> {
    if places.is_empty() {
        return Ok(true);
    }
    let first = one.header.first;
    let file = match shared.disk.open(&segment::file_name(first)) {
        Ok(file) => file,
        // Deleted since we looked.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    };
    let mut cursor = Cursor::of_few(file, first);
    // A place at which no record is whole is one that was damaged since.
    let records = places.iter().filter_map(|place| cursor.at(first + place, one.end()));
    for found in records {
        if !visit(&Record::restored(&found.header, found.body)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Shows the records from `from` to `end` in whose bytes the id stands; false when that was enough.
fn scan(
    shared: &Arc<Shared>,
    from: u64,
    end: u64,
    trace_id: &[u8; 16],
    visit: Visit<'_>,
) -> io::Result<bool> {
    let finder = Finder::new(trace_id);
    let mut reader = Reader::new(Arc::clone(shared), Position(from));
    let mut records = Vec::new();
    while reader.position().0 < end {
        let before = reader.position();
        reader.read(STEP, &mut records)?;
        for record in records.drain(..).filter(|record| record.position.0 < end) {
            if finder.find(record.batch.bytes()).is_some() && !visit(&record) {
                return Ok(false);
            }
        }
        // Batches that arrive meanwhile are not waited for: a look-up must come to an end.
        if reader.position() == before {
            break;
        }
    }
    Ok(true)
}

#[cfg(test)]
#[path = "look_up_tests.rs"]
mod tests;
