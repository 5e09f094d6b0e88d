//! How far a destination came, on disk: a file of 48 bytes for each, replaced in one step.
//!
//! A destination says that it passed something only after its checkpoint is here; the journal deletes by that.

use std::io::{self, IoSlice};

use super::Position;
use super::disk::{self, Disk};
use super::record::{u32_at, u64_at, u128_at};
use super::reserve;

const MAGIC: [u8; 8] = *b"SPMLCKPT";
const VERSION: u32 = 1;
const LEN: usize = 48;

/// Everything before `position` is done with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log that the position is of.
    pub instance: u128,
    pub position: Position,
    /// Spans in the log before it.
    pub spans_before: u64,
}

/// What was found on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// The destination is new.
    None,
    /// There is one and it cannot be read.
    Damaged,
    Whole(Checkpoint),
}

impl Checkpoint {
    pub fn load(disk: &dyn Disk, destination: &str) -> io::Result<Stored> {
        let file = match disk.open(&file_name(destination)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Stored::None),
            Err(error) => return Err(error),
        };
        let mut bytes = [0; LEN];
        let read = disk::read_full(&*file, &mut bytes, 0)?;
        Ok(Checkpoint::decode(&bytes[..read]).map_or(Stored::Damaged, Stored::Whole))
    }

    /// Returns when a power cut can no longer undo it.
    pub fn store(&self, disk: &dyn Disk, destination: &str) -> io::Result<()> {
        let name = file_name(destination);
        let is_full = |result: &io::Result<()>| matches!(result, Err(error) if error.kind() == io::ErrorKind::StorageFull);
        let bytes = self.encode();
        let mut result = replace(disk, &name, &bytes);
        // A full disk must not keep us from saying what may be deleted.
        if is_full(&result) && reserve::give_up(disk) {
            result = replace(disk, &name, &bytes);
        }
        // The last resort is to write over the old one. Should the power go just then, it is damaged, and
        // everything that is still there is sent once more.
        if is_full(&result) { overwrite(disk, &name, &bytes) } else { result }
    }

    fn encode(&self) -> [u8; LEN] {
        let mut out = [0; LEN];
        out[..8].copy_from_slice(&MAGIC);
        out[8..12].copy_from_slice(&VERSION.to_le_bytes());
        out[16..32].copy_from_slice(&self.instance.to_le_bytes());
        out[32..40].copy_from_slice(&self.position.0.to_le_bytes());
        out[40..48].copy_from_slice(&self.spans_before.to_le_bytes());
        let crc = checksum(&out);
        out[12..16].copy_from_slice(&crc.to_le_bytes());
        out
    }

    fn decode(bytes: &[u8]) -> Option<Checkpoint> {
        if bytes.len() != LEN || bytes[..8] != MAGIC || u32_at(bytes, 8..12) != VERSION {
            return None;
        }
        if u32_at(bytes, 12..16) != checksum(bytes) {
            return None;
        }
        Some(Checkpoint {
            instance: u128_at(bytes, 16..32),
            position: Position(u64_at(bytes, 32..40)),
            spans_before: u64_at(bytes, 40..48),
        })
    }
}

/// Puts `bytes` in the place of the file in one step that a power cut cannot halve.
pub(super) fn replace(disk: &dyn Disk, name: &str, bytes: &[u8]) -> io::Result<()> {
    let temporary = format!("{name}.new");
    let file = disk.create(&temporary)?;
    disk::write_all(&*file, &mut [IoSlice::new(bytes)], 0)?;
    file.sync()?;
    disk.rename(&temporary, name)?;
    disk.sync()
}

fn overwrite(disk: &dyn Disk, name: &str, bytes: &[u8]) -> io::Result<()> {
    let file = disk.open(name)?;
    disk::write_all(&*file, &mut [IoSlice::new(bytes)], 0)?;
    file.sync()
}

fn checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), &bytes[16..])
}

/// The destination's file. What could mean something to a file system is written as `%2F`.
fn file_name(destination: &str) -> String {
    let mut name = String::with_capacity(destination.len() + 16);
    for byte in destination.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' => name.push(byte as char),
            _ => name.push_str(&format!("%{byte:02X}")),
        }
    }
    name + ".checkpoint"
}
