//! One segment: a file named by the position of its first record, with a header of its own.
//!
//! The positions from `first` to `first + capacity` belong to this segment alone, also after a crash that lost
//! records of it: no position is ever given out twice.

use std::io::{self, IoSlice};
use std::ops::Range;
use std::sync::Arc;

use super::disk::{self, Disk, File};
use super::record::{u32_at, u64_at, u128_at};

/// Bytes before the first record.
pub const HEADER_LEN: u64 = 64;

/// The layout that this program writes, and the newest that it reads.
pub const VERSION: u16 = 2;

const MAGIC: [u8; 8] = *b"SPMLJRNL";
const CRC: Range<usize> = 12..16;

/// What the header of a segment says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The layout that its records have.
    pub version: u16,
    /// Names the log; the same in all its segments.
    pub instance: u128,
    pub first: u64,
    /// Bytes of records that it may hold.
    pub capacity: u64,
    /// Spans in the log before its first record.
    pub spans_before: u64,
    pub created_unix_ns: u64,
}

/// Why a header cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unusable {
    /// Damaged; the records behind it may well be whole.
    Damaged,
    /// Of this version, which is newer than ours.
    Newer(u16),
}

impl Header {
    pub fn encode(&self) -> [u8; HEADER_LEN as usize] {
        let mut out = [0; HEADER_LEN as usize];
        out[..8].copy_from_slice(&MAGIC);
        out[8..10].copy_from_slice(&self.version.to_le_bytes());
        out[10..12].copy_from_slice(&(HEADER_LEN as u16).to_le_bytes());
        out[16..24].copy_from_slice(&self.first.to_le_bytes());
        out[24..32].copy_from_slice(&self.capacity.to_le_bytes());
        out[32..40].copy_from_slice(&self.spans_before.to_le_bytes());
        out[40..48].copy_from_slice(&self.created_unix_ns.to_le_bytes());
        out[48..64].copy_from_slice(&self.instance.to_le_bytes());
        let crc = checksum(&out);
        out[CRC].copy_from_slice(&crc.to_le_bytes());
        out
    }

    pub fn decode(bytes: &[u8]) -> Result<Header, Unusable> {
        if bytes.len() < HEADER_LEN as usize || bytes[..8] != MAGIC || u32_at(bytes, CRC) != checksum(bytes) {
            return Err(Unusable::Damaged);
        }
        let version = u16::from_le_bytes([bytes[8], bytes[9]]);
        if version > VERSION {
            return Err(Unusable::Newer(version));
        }
        Ok(Header {
            version,
            first: u64_at(bytes, 16..24),
            capacity: u64_at(bytes, 24..32),
            spans_before: u64_at(bytes, 32..40),
            created_unix_ns: u64_at(bytes, 40..48),
            instance: u128_at(bytes, 48..64),
        })
    }
}

/// Over all of the header but the checksum itself. The first 64 bytes keep this form in every version.
fn checksum(header: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&header[..CRC.start]), &header[CRC.end..HEADER_LEN as usize])
}

/// The file of the segment that begins at `first`. Twenty digits, so that names sort as numbers do.
pub fn file_name(first: u64) -> String {
    format!("{first:020}.segment")
}

/// The index of the traces in it.
pub fn index_name(first: u64) -> String {
    format!("{first:020}.traces")
}

/// The position in a file's name, if it is a segment's.
pub fn first_of(file_name: &str) -> Option<u64> {
    position_in(file_name, ".segment")
}

/// The position in a file's name, if it is that of an index.
pub fn first_of_index(file_name: &str) -> Option<u64> {
    position_in(file_name, ".traces")
}

fn position_in(file_name: &str, suffix: &str) -> Option<u64> {
    let digits = file_name.strip_suffix(suffix)?;
    if digits.len() == 20 { digits.parse().ok() } else { None }
}

/// Makes the file, durably: only then are its positions given out.
pub fn create(disk: &dyn Disk, header: &Header) -> io::Result<Arc<dyn File>> {
    let file = disk.create(&file_name(header.first))?;
    // Without the reservation the segment works just as well, only in more pieces on the disk. What a failed one
    // left is given back, so that a nearly full disk is used to its end.
    if file.reserve(HEADER_LEN + header.capacity).is_err() {
        file.truncate(0)?;
    }
    disk::write_all(&*file, &mut [IoSlice::new(&header.encode())], 0)?;
    file.sync()?;
    disk.sync()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header = Header {
        version: VERSION,
        instance: 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef,
        first: 1 << 40,
        capacity: 64 << 20,
        spans_before: 99,
        created_unix_ns: 1_795_378_503_000_000_000,
    };

    #[test]
    fn a_header_reads_back_as_written_and_shows_every_flipped_bit() {
        let bytes = HEADER.encode();
        assert_eq!(Header::decode(&bytes), Ok(HEADER));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::decode(&flipped), Err(Unusable::Damaged), "bit {bit}");
        }
    }

    #[test]
    fn a_newer_version_is_told_from_damage() {
        let mut bytes = HEADER.encode();
        bytes[8..10].copy_from_slice(&7u16.to_le_bytes());
        let crc = checksum(&bytes);
        bytes[CRC].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(Header::decode(&bytes), Err(Unusable::Newer(7)));
    }

    #[test]
    fn names_sort_as_positions_do() {
        let mut names = [file_name(u64::MAX), file_name(9), file_name(10)];
        names.sort();
        assert_eq!(names.map(|name| first_of(&name)), [Some(9), Some(10), Some(u64::MAX)]);
        assert_eq!(first_of("lock"), None);
        assert_eq!(first_of("7.segment"), None);
    }
}
