//! Reads the records of one segment from its file, in large reads, past whatever is damaged.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use memchr::memmem;

use super::disk::{self, File};
use super::record::{self, Header, Parsed};
use super::segment;

/// Bytes asked of the disk at once. Bodies are slices of what came, so nothing is copied again.
const CHUNK: usize = 1 << 20;

/// The same where a record is read and not what follows it: a usual one as a whole.
const FEW: usize = 16 << 10;

/// Bytes given up for one that the disk cannot read.
const PAGE: usize = 4096;

#[derive(Debug)]
pub struct Cursor {
    file: Arc<dyn File>,
    /// Position of the segment's first record.
    first: u64,
    buffer: Bytes,
    /// Bytes asked of the disk at once.
    chunk: usize,
    /// Position of the first byte of `buffer`.
    buffer_at: u64,
}

/// A record, and its body as a slice of what was read.
#[derive(Debug)]
pub struct Found {
    pub header: Header,
    pub body: Bytes,
}

impl Cursor {
    pub fn new(file: Arc<dyn File>, first: u64) -> Cursor {
        Cursor { file, first, buffer: Bytes::new(), chunk: CHUNK, buffer_at: first }
    }

    /// One that reads single records here and there.
    pub fn of_few(file: Arc<dyn File>, first: u64) -> Cursor {
        Cursor { chunk: FEW, ..Cursor::new(file, first) }
    }

    /// Position of the first record of the segment that is read.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// The first whole record at or after `position` and before `end`.
    ///
    /// A record found further on means that what lies between is damaged; `None` that nothing whole follows.
    pub fn next(&mut self, position: u64, end: u64) -> Option<Found> {
        let mut at = position;
        loop {
            if let Some(found) = self.at(at, end) {
                return Some(found);
            }
            at = self.magic(at + 1, end)?;
        }
    }

    /// The whole record at `at`, if there is one.
    pub fn at(&mut self, at: u64, end: u64) -> Option<Found> {
        let Parsed::Record(header) = self.parse(at, end) else { return None };
        let start = (at - self.buffer_at) as usize + header.len();
        let body = self.buffer.slice(start..start + header.body_len as usize);
        Some(Found { header, body })
    }

    /// What stands at `at`, with as many bytes read as it takes to know.
    pub fn parse(&mut self, at: u64, end: u64) -> Parsed {
        let mut wanted = record::HEADER_LEN;
        loop {
            match record::parse(self.bytes(at, wanted, end), at) {
                Parsed::Short(length) if length > wanted => wanted = length,
                parsed => return parsed,
            }
        }
    }

    /// Where the next record may begin.
    fn magic(&mut self, mut at: u64, end: u64) -> Option<u64> {
        loop {
            let bytes = self.bytes(at, record::HEADER_LEN, end);
            if bytes.len() < record::HEADER_LEN {
                return None;
            }
            match memmem::find(bytes, &record::MAGIC) {
                Some(offset) => return Some(at + offset as u64),
                None => at += (bytes.len() - (record::MAGIC.len() - 1)) as u64,
            }
        }
    }

    /// What is known from `at` on: at least `wanted` bytes, unless `end` is nearer.
    fn bytes(&mut self, at: u64, wanted: usize, end: u64) -> &[u8] {
        let wanted = wanted.min(end.saturating_sub(at) as usize);
        let held_to = self.buffer_at + self.buffer.len() as u64;
        if at < self.buffer_at || at + wanted as u64 > held_to {
            let length = wanted.max(self.chunk).min(end.saturating_sub(at) as usize);
            self.buffer = self.read(at, length);
            self.buffer_at = at;
        }
        let held = &self.buffer[(at - self.buffer_at) as usize..];
        &held[..held.len().min(end.saturating_sub(at) as usize)]
    }

    fn read(&self, at: u64, length: usize) -> Bytes {
        let mut buffer = vec![0; length];
        let offset = segment::HEADER_LEN + (at - self.first);
        match disk::read_full(&*self.file, &mut buffer, offset) {
            Ok(read) => buffer.truncate(read),
            Err(error) => self.read_pages(&mut buffer, offset, &error),
        }
        buffer.into()
    }

    /// What the disk cannot read stays zero: its record fails the checksum and is skipped, the rest is whole.
    fn read_pages(&self, buffer: &mut [u8], offset: u64, error: &io::Error) {
        tracing::warn!(
            "the journal's disk cannot be read: {error}; what is lost of it is counted and skipped"
        );
        for (i, page) in buffer.chunks_mut(PAGE).enumerate() {
            if disk::read_full(&*self.file, page, offset + (i * PAGE) as u64).is_err() {
                page.fill(0);
            }
        }
    }
}
