//! What is found at the start: the headers of all segments, and the end of the last, torn or not.

use std::io;
use std::sync::Arc;

use super::cursor::Cursor;
use super::disk::{self, Disk, File};
use super::origins::Origins;
use super::record::Parsed;
use super::segment::{self, Unusable};
use super::shared::{Segment, State};

/// Reads the headers of all segments and the records of the last, whose torn end is cut off. Says also where the
/// next segment may begin.
pub fn recover(disk: &dyn Disk, segment_size: u64, fresh: u128) -> io::Result<(State, u64)> {
    let mut firsts: Vec<u64> = disk.names()?.iter().filter_map(|name| segment::first_of(name)).collect();
    firsts.sort_unstable();
    let mut state = State::default();
    state.instance = fresh;
    let mut reserved = 0;
    let mut damaged = Vec::new();
    for (i, first) in firsts.iter().copied().enumerate() {
        let name = segment::file_name(first);
        let file = disk.open(&name)?;
        let Some(held) = file.size()?.checked_sub(segment::HEADER_LEN) else {
            // It was being made when the process died; nothing was ever in it.
            disk.remove(&name)?;
            continue;
        };
        let room = firsts.get(i + 1).map_or(u64::MAX, |next| next - first);
        let header = match read_header(&*file, first)? {
            Some(header) => header,
            None => {
                damaged.push(first);
                mended(&mut state, first, segment_size.max(held).min(room))
            }
        };
        state.instance = header.instance;
        reserved = first + header.capacity;
        let bytes_before = state.segments.last().map_or(0, |last| last.bytes_before + last.len);
        if let Some(before) = state.segments.last_mut() {
            before.newest_unix_ns = header.created_unix_ns;
        }
        let len = held.min(room).min(header.capacity);
        state.segments.push(Segment { header, len, newest_unix_ns: header.created_unix_ns, bytes_before });
    }
    while let Some(last) = state.segments.last().copied() {
        let file = disk.open(&segment::file_name(last.header.first))?;
        state.spans = last.header.spans_before;
        let records = recover_last(&mut state, &file)?;
        // A damaged header over nothing knows nothing; the segment before it knows where the log stands.
        if records > 0 || !damaged.contains(&last.header.first) || state.segments.len() == 1 {
            break;
        }
        disk.remove(&segment::file_name(last.header.first))?;
        state.segments.pop();
    }
    state.end = reserved;
    Ok((state, reserved))
}

fn read_header(file: &dyn File, first: u64) -> io::Result<Option<segment::Header>> {
    let mut bytes = [0; segment::HEADER_LEN as usize];
    let read = disk::read_full(file, &mut bytes, 0)?;
    match segment::Header::decode(&bytes[..read]) {
        Ok(header) if header.first == first => Ok(Some(header)),
        Ok(_) | Err(Unusable::Damaged) => Ok(None),
        Err(Unusable::Newer(version)) => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            format!(
                "the journal was written by a newer spanmill (layout {version}, this one reads {}): start the \
                 newer one, or move the journal away",
                segment::VERSION
            ),
        )),
    }
}

/// Stands in for a damaged header; the records behind it may well be whole.
fn mended(state: &mut State, first: u64, capacity: u64) -> segment::Header {
    state.note_corrupt(first);
    let instance = state.instance;
    let created_unix_ns = state.segments.last().map_or(0, |before| before.header.created_unix_ns);
    segment::Header { version: segment::VERSION, instance, first, capacity, spans_before: 0, created_unix_ns }
}

/// Which parts of other logs are here: what was stored when a segment ended, and the records after it.
pub fn origins(disk: &dyn Disk, state: &State) -> io::Result<Origins> {
    let (mut origins, stored_to) = Origins::load(disk, state.instance)?;
    // Records of the first layout have no origin.
    let unread = state.segments.iter().filter(|one| one.end() > stored_to && one.header.version >= 2);
    for segment in unread {
        let file = disk.open(&segment::file_name(segment.header.first))?;
        let mut cursor = Cursor::new(file, segment.header.first);
        let mut at = segment.header.first.max(stored_to);
        while let Some(found) = cursor.next(at, segment.end()) {
            at = found.header.position + found.header.record_len();
            if let Some(origin) = found.header.origin {
                origins.cover(origin);
            }
        }
    }
    Ok(origins)
}

/// Walks the last segment to its last whole record, cuts off what follows, and says how many records there are.
fn recover_last(state: &mut State, file: &Arc<dyn File>) -> io::Result<usize> {
    let last = *state.segments.last().expect("called with a segment");
    let mut cursor = Cursor::new(Arc::clone(file), last.header.first);
    let mut at = last.header.first;
    let mut records = 0;
    let mut newest_unix_ns = last.newest_unix_ns;
    while let Some(found) = cursor.next(at, last.end()) {
        if found.header.position > at {
            state.note_corrupt(at);
        }
        at = found.header.position + found.header.record_len();
        state.spans = found.header.spans_before + u64::from(found.header.spans);
        newest_unix_ns = found.header.received_unix_ns.max(newest_unix_ns);
        records += 1;
    }
    // A record that a crash tore ends too early; one that is all there and wrong was damaged later.
    if at < last.end() && cursor.parse(at, last.end()) == Parsed::Invalid {
        state.note_corrupt(at);
    }
    let len = at - last.header.first;
    // Also without a torn end: the truncation gives back what was reserved.
    file.truncate(segment::HEADER_LEN + len)?;
    *state.segments.last_mut().expect("called with a segment") = Segment { len, newest_unix_ns, ..last };
    Ok(records)
}
