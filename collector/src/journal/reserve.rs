//! A little room on the disk that is given up when the disk is full, so that it can be emptied at all.
//!
//! A checkpoint is a new file before it is the old one, and some file systems need room even to delete. Without
//! either, nothing would ever be passed and deleted, and a full disk would stay full.

use std::io;

use super::disk::Disk;

const FILE: &str = "reserve";

/// Checkpoints of any number of destinations at 4 KiB each, and the metadata of a copy-on-write file system.
const LEN: u64 = 2 << 20;

/// Sees to it that the room is held. True if it is.
pub fn hold(disk: &dyn Disk) -> bool {
    if disk.open(FILE).is_ok() {
        return true;
    }
    let reserved = disk.create(FILE).and_then(|file| file.reserve(LEN));
    match reserved {
        Ok(()) => true,
        // Where the file system cannot reserve at all, the empty file keeps us from asking again.
        Err(error) if error.kind() != io::ErrorKind::StorageFull => false,
        Err(_) => {
            give_up(disk);
            false
        }
    }
}

/// Gives the room to whoever writes next. False if there was none to give.
pub fn give_up(disk: &dyn Disk) -> bool {
    disk.remove(FILE).is_ok()
}
