//! The segments on disk for another process than the daemon's: read only, without its lock.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::cursor::Cursor;
use super::segment::{self, Header};

/// The segments of a directory, oldest first.
#[derive(Debug)]
pub struct Segments {
    paths: std::vec::IntoIter<PathBuf>,
}

/// One segment that is being read.
#[derive(Debug)]
pub struct Segment {
    name: String,
    size: u64,
    cursor: Cursor,
    at: u64,
    end: u64,
}

impl Segments {
    pub fn of(dir: &Path) -> io::Result<Segments> {
        let mut paths = Vec::new();
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if segment::first_of(&name).is_some() {
                paths.push(path);
            }
        }
        // Names sort as positions do.
        paths.sort();
        Ok(Segments { paths: paths.into_iter() })
    }
}

impl Iterator for Segments {
    /// `None` for a segment that the daemon deleted in the meantime, or whose header is damaged.
    type Item = io::Result<Option<Segment>>;

    fn next(&mut self) -> Option<Self::Item> {
        let path = self.paths.next()?;
        Some(Segment::open(&path))
    }
}

impl Segment {
    fn open(path: &Path) -> io::Result<Option<Segment>> {
        let file = match fs::File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let size = file.metadata()?.len();
        let mut head = [0; segment::HEADER_LEN as usize];
        let read = super::disk::read_full(&file, &mut head, 0)?;
        let Ok(Header { first, .. }) = Header::decode(&head[..read]) else { return Ok(None) };
        let end = first + size.saturating_sub(segment::HEADER_LEN);
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Some(Segment { name, size, cursor: Cursor::new(Arc::new(file), first), at: first, end }))
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes of the file when it was opened; what is written later is not read.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The next whole body: an encoded, masked request.
    pub fn next_body(&mut self) -> Option<Bytes> {
        let found = self.cursor.next(self.at, self.end)?;
        self.at = found.header.position + found.header.record_len();
        Some(found.body)
    }
}
