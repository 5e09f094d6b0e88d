//! Memory that processes share: the one place where the open-call page and the board are mapped.
//!
//! What is mapped is only ever seen as atomic words, so no store by another process can break a rule of the
//! language, and only where nobody can make it shorter: a sealed `memfd`, or a file that its owner replaces by
//! rename and never truncates.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::mm::{MapFlags, ProtFlags};

/// Largest mapping: no layout of ours comes near it.
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// A shared mapping, as words. Unmapped when it is dropped.
#[derive(Debug)]
pub struct Shared {
    start: NonNull<AtomicU64>,
    words: usize,
}

// SAFETY: the mapping is reached through `&[AtomicU64]` alone, which any thread may use.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    /// Zeroed memory of `bytes` that can be handed to another process: nobody can change its size, and, where the
    /// kernel knows that seal (5.1), who gets the descriptor cannot map it for writing.
    pub fn sealed(name: &str, bytes: usize) -> io::Result<(Shared, OwnedFd)> {
        let memory = rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        rustix::fs::ftruncate(&memory, bytes as u64)?;
        rustix::fs::fcntl_add_seals(&memory, SealFlags::SHRINK | SealFlags::GROW)?;
        let shared = Shared::map(&memory, bytes, ProtFlags::READ | ProtFlags::WRITE)?;
        let _ = rustix::fs::fcntl_add_seals(&memory, SealFlags::FUTURE_WRITE);
        Ok((shared, memory))
    }

    /// A new file of `bytes` zeros at `path`, to be written in and renamed to where readers look.
    pub fn create(path: &Path, bytes: usize) -> io::Result<Shared> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o644).open(path)?;
        // Space for all of it now: a file system that is full must refuse here, not kill us at a store.
        rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, bytes as u64)?;
        Shared::map(&file, bytes, ProtFlags::READ | ProtFlags::WRITE)
    }

    /// The file at `path`, for reading; refused when it is shorter than `bytes`.
    pub fn open(path: &Path, bytes: usize) -> io::Result<Shared> {
        let file = File::open(path)?;
        let there = file.metadata()?;
        if !there.is_file() || there.len() < bytes as u64 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is not a file of that size"));
        }
        Shared::map(&file, bytes, ProtFlags::READ)
    }

    fn map(file: &impl AsFd, bytes: usize, access: ProtFlags) -> io::Result<Shared> {
        if bytes == 0 || bytes > BYTES_MAX || bytes % size_of::<AtomicU64>() != 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a size to map"));
        }
        // SAFETY: without MAP_FIXED the kernel chooses addresses that nothing else uses.
        let start =
            unsafe { rustix::mm::mmap(std::ptr::null_mut(), bytes, access, MapFlags::SHARED, file, 0) }?;
        let start = NonNull::new(start.cast()).ok_or_else(|| io::Error::other("mapped at address zero"))?;
        Ok(Shared { start, words: bytes / size_of::<AtomicU64>() })
    }

    /// The memory. Where it is mapped for reading, only relaxed loads are defined.
    pub fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping is as long as `words` says, aligned to a page, readable as long as `self` lives, and
        // no code of this process reaches it in another way. Other processes change it by whole words or by bytes;
        // both leave valid integers.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.words) }
    }

    /// The memory until the process ends.
    pub fn leak(self) -> &'static [AtomicU64] {
        Box::leak(Box::new(self)).words()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: `words` borrows `self`, so nobody holds a reference into the mapping any more.
        let _ =
            unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.words * size_of::<AtomicU64>()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;
    use std::sync::atomic::Ordering::Relaxed;

    #[test]
    fn what_is_stored_is_read_through_the_descriptor() {
        let (shared, memory) = Shared::sealed("test", 4096).unwrap();
        shared.words()[3].store(0x0102, Relaxed);
        let mut copy = [0; 32];
        assert_eq!(rustix::io::pread(&memory, &mut copy, 0), Ok(32));
        assert_eq!(copy[24..], [2, 1, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn who_gets_the_descriptor_can_neither_shrink_nor_write_it() {
        let (shared, memory) = Shared::sealed("test", 4096).unwrap();
        assert!(rustix::fs::ftruncate(&memory, 0).is_err());
        assert!(rustix::fs::ftruncate(&memory, 8192).is_err());
        let path = format!("/proc/self/fd/{}", memory.as_raw_fd());
        let again = Shared::open(Path::new(&path), 4096).unwrap();
        shared.words()[0].store(9, Relaxed);
        assert_eq!(again.words()[0].load(Relaxed), 9);
        assert!(rustix::io::pwrite(&memory, b"x", 0).is_err());
    }

    #[test]
    fn a_file_is_written_by_one_and_read_by_others() {
        let path = std::env::temp_dir().join(format!("spanmill-shared-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let written = Shared::create(&path, 8192).unwrap();
        assert!(Shared::create(&path, 8192).is_err(), "a file that is there is somebody's");
        written.words()[1023].store(7, Relaxed);
        assert_eq!(Shared::open(&path, 8192).unwrap().words()[1023].load(Relaxed), 7);
        assert!(Shared::open(&path, 8200).is_err());
        assert!(Shared::open(&std::env::temp_dir(), 8).is_err());
        std::fs::remove_file(&path).unwrap();
        assert_eq!(written.words()[1023].load(Relaxed), 7, "it stays with those who have it");
    }
}
