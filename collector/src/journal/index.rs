//! Where the spans of a trace are: for each segment the fingerprints of its trace ids, each with a record's place.
//!
//! In memory while a segment is written to, then a sorted file beside it. Whatever is missing or damaged is made
//! anew from the segment, so nothing here is ever synced.

use std::collections::BTreeSet;
use std::io::{self, IoSlice};

use spanmill_proto::otlp;

use super::disk::{self, Disk};
use super::record::{u32_at, u64_at, u128_at};
use super::segment;

const MAGIC: [u8; 8] = *b"SPMLTRAC";
const VERSION: u32 = 1;

/// Entries lie in as many buckets as a byte has values, by the first byte of the fingerprint. A segment of a hundred
/// thousand traces has some 400 entries in each, so that a look-up reads two small pieces of the file.
const BUCKETS: usize = 256;
const BUCKETS_AT: usize = 48;
const HEADER_LEN: usize = BUCKETS_AT + BUCKETS * 8;
const ENTRY_LEN: usize = 8;

/// A fingerprint above, a place below: bytes from the first record of the segment to the record. A segment is far
/// smaller than 4 GiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry(u64);

impl Entry {
    fn new(fingerprint: u32, place: u64) -> Entry {
        Entry(u64::from(fingerprint) << 32 | (place & 0xffff_ffff))
    }

    pub fn fingerprint(self) -> u32 {
        (self.0 >> 32) as u32
    }

    pub fn place(self) -> u64 {
        self.0 & 0xffff_ffff
    }
}

/// Spreads whatever part of a trace id is random over 32 bits; some senders begin each id with the time.
pub fn fingerprint(trace_id: &[u8; 16]) -> u32 {
    let id = u128::from_le_bytes(*trace_id);
    let folded = (id as u64) ^ ((id >> 64) as u64).rotate_left(29);
    (folded.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
}

/// Adds the traces of a request that lies at `place`.
pub fn add(entries: &mut Vec<Entry>, request: &[u8], place: u64) {
    let mut last = None;
    // What the mask stage let through can be walked; should it not be, the rest of it cannot be found.
    let _ = otlp::for_each_span(request, |at| {
        // The id is the first field of nearly every span that was ever sent.
        let id = match at.span.bytes()? {
            [0x0a, 16, rest @ ..] => rest.first_chunk(),
            _ => None,
        };
        let id = match id {
            Some(id) => Some(*id),
            None => trace_id(&at)?,
        };
        let fingerprint = id.map(|id| fingerprint(&id));
        if fingerprint != last {
            entries.extend(fingerprint.map(|fingerprint| Entry::new(fingerprint, place)));
            last = fingerprint;
        }
        Ok(())
    });
}

fn trace_id(at: &otlp::SpanAt<'_>) -> Result<Option<[u8; 16]>, spanmill_proto::wire::Malformed> {
    let mut id = None;
    let mut fields = at.span.message()?;
    while let Some(field) = fields.next()? {
        if field.number == otlp::span::TRACE_ID {
            id = field.bytes()?.try_into().ok();
        }
    }
    Ok(id)
}

/// What is not in files.
#[derive(Debug, Default)]
pub struct Index {
    /// By segment, the newest last: the one that is written to, and those whose files are not there yet.
    pub open: Vec<Open>,
    /// Segments of which nothing is known: their files are missing or damaged.
    pub missing: BTreeSet<u64>,
    /// What lies before is in `open`, in a file or in `missing`.
    pub position: u64,
}

/// A segment in memory: at most a quarter of what it holds itself, where all its spans are as short as spans can be.
#[derive(Debug)]
pub struct Open {
    pub first: u64,
    pub entries: Vec<Entry>,
}

impl Index {
    /// The segment that begins at `first` is deleted.
    pub fn forget(&mut self, first: u64) {
        self.open.retain(|open| open.first != first);
        self.missing.remove(&first);
    }
}

/// The entries of a segment with so many bytes of records, as its file has them. Sorts them.
pub fn encode(entries: &mut Vec<Entry>, header: &segment::Header, len: u64) -> Vec<u8> {
    entries.sort_unstable();
    entries.dedup();
    let mut out = vec![0; HEADER_LEN];
    out.reserve(entries.len() * ENTRY_LEN);
    out[..8].copy_from_slice(&MAGIC);
    out[8..12].copy_from_slice(&VERSION.to_le_bytes());
    out[16..24].copy_from_slice(&header.first.to_le_bytes());
    out[24..32].copy_from_slice(&len.to_le_bytes());
    out[32..48].copy_from_slice(&header.instance.to_le_bytes());
    let mut rest = entries.as_slice();
    for bucket in 0..BUCKETS {
        let count = rest.partition_point(|entry| (entry.fingerprint() >> 24) as usize <= bucket);
        let begin = out.len();
        rest[..count].iter().for_each(|entry| out.extend_from_slice(&entry.0.to_le_bytes()));
        rest = &rest[count..];
        let (end, crc) = ((entries.len() - rest.len()) as u32, crc32c::crc32c(&out[begin..]));
        let at = BUCKETS_AT + bucket * 8;
        out[at..at + 4].copy_from_slice(&end.to_le_bytes());
        out[at + 4..at + 8].copy_from_slice(&crc.to_le_bytes());
    }
    let crc = checksum(&out);
    out[12..16].copy_from_slice(&crc.to_le_bytes());
    out
}

fn checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), &bytes[16..HEADER_LEN])
}

/// Puts the file of a segment in its place.
pub fn store(disk: &dyn Disk, first: u64, bytes: &[u8]) -> io::Result<()> {
    let name = segment::index_name(first);
    let temporary = format!("{name}.new");
    let file = disk.create(&temporary)?;
    let written = disk::write_all(&*file, &mut [IoSlice::new(bytes)], 0);
    match written.and_then(|()| disk.rename(&temporary, &name)) {
        Ok(()) => Ok(()),
        Err(error) => {
            // On a full disk every byte counts.
            let _ = disk.remove(&temporary);
            Err(error)
        }
    }
}

/// The head of a segment's file, if that is whole and of this very segment.
fn head(
    disk: &dyn Disk,
    header: &segment::Header,
    len: u64,
) -> Option<(std::sync::Arc<dyn disk::File>, Vec<u8>)> {
    let file = disk.open(&segment::index_name(header.first)).ok()?;
    let mut bytes = vec![0; HEADER_LEN];
    let is_whole = disk::read_full(&*file, &mut bytes, 0).ok()? == HEADER_LEN
        && bytes[..8] == MAGIC
        && u32_at(&bytes, 8..12) == VERSION
        && u32_at(&bytes, 12..16) == checksum(&bytes)
        && u64_at(&bytes, 16..24) == header.first
        && u64_at(&bytes, 24..32) == len
        && u128_at(&bytes, 32..48) == header.instance;
    is_whole.then_some((file, bytes))
}

/// Whether a segment has a file that can be used.
pub fn is_there(disk: &dyn Disk, header: &segment::Header, len: u64) -> bool {
    head(disk, header, len).is_some()
}

/// The places of records in a segment that may hold the trace, ascending; `None` = its file is missing or damaged.
pub fn places(disk: &dyn Disk, header: &segment::Header, len: u64, fingerprint: u32) -> Option<Vec<u64>> {
    let (file, head) = head(disk, header, len)?;
    let bucket = (fingerprint >> 24) as usize;
    let at = BUCKETS_AT + bucket * 8;
    let begin = if bucket == 0 { 0 } else { u32_at(&head, at - 8..at - 4) as usize };
    let count = (u32_at(&head, at..at + 4) as usize).checked_sub(begin)?;
    // No segment has more entries than bytes.
    if count as u64 > len {
        return None;
    }
    let mut bytes = vec![0; count * ENTRY_LEN];
    let offset = (HEADER_LEN + begin * ENTRY_LEN) as u64;
    if disk::read_full(&*file, &mut bytes, offset).ok()? != bytes.len()
        || crc32c::crc32c(&bytes) != u32_at(&head, at + 4..at + 8)
    {
        return None;
    }
    let entries = bytes.chunks_exact(ENTRY_LEN).map(|entry| Entry(u64_at(entry, 0..8)));
    Some(entries.filter(|entry| entry.fingerprint() == fingerprint).map(Entry::place).collect())
}
