//! What the journal needs of a file system, so that tests can put a worse one under it; and the real one.

use std::fmt;
use std::fs;
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FallocateFlags, FlockOperation};

/// One directory.
pub trait Disk: fmt::Debug + Send + Sync {
    /// The files in it.
    fn names(&self) -> io::Result<Vec<String>>;
    /// Makes an empty file, or empties one that is there.
    fn create(&self, name: &str) -> io::Result<Arc<dyn File>>;
    /// Opens a file that is there, to read and to cut.
    fn open(&self, name: &str) -> io::Result<Arc<dyn File>>;
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Puts `from` in the place of `to` in one step.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Makes what was created, renamed and removed survive a power cut.
    fn sync(&self) -> io::Result<()>;
}

/// One file. Shared by a writer and any number of readers.
pub trait File: fmt::Debug + Send + Sync {
    fn size(&self) -> io::Result<u64>;
    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize>;
    /// Writes the parts one after the other; may write less than all of them.
    fn write_at(&self, parts: &[IoSlice<'_>], at: u64) -> io::Result<usize>;
    /// Makes what was written survive a power cut.
    fn sync(&self) -> io::Result<()>;
    /// Cuts the file to `size` bytes and gives back what was reserved behind them.
    fn truncate(&self, size: u64) -> io::Result<()>;
    /// Reserves room without changing the size.
    fn reserve(&self, size: u64) -> io::Result<()>;
}

/// A directory of the real file system.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
}

/// Held as long as it lives: no second process writes into the directory.
#[derive(Debug)]
pub struct Lock {
    _file: fs::File,
}

impl Directory {
    /// A directory that should be there; if it is not, each use of it says so.
    pub fn at(path: &Path) -> Directory {
        Directory { path: path.to_owned() }
    }

    /// Opens the directory, makes it when missing.
    pub fn open(path: &Path) -> io::Result<Directory> {
        fs::create_dir_all(path).map_err(|error| named(&error, "cannot make the directory", path))?;
        Ok(Directory::at(path))
    }

    /// Becomes the only writer, or says who is.
    pub fn lock(&self) -> io::Result<Lock> {
        let path = self.path.join("lock");
        let file = fs::File::options().create(true).truncate(false).read(true).write(true).open(&path);
        let file = file.map_err(|error| named(&error, "cannot open the lock file", &path))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(self.in_use(&path)),
            Err(error) => return Err(named(&error.into(), "cannot lock", &path)),
        }
        // Only tells who it is; a full disk must not keep us from starting.
        let _ =
            file.set_len(0).and_then(|()| file.write_all_at(std::process::id().to_string().as_bytes(), 0));
        Ok(Lock { _file: file })
    }

    fn in_use(&self, lock: &Path) -> io::Error {
        let holder = fs::read_to_string(lock).unwrap_or_default();
        let message = format!(
            "the journal in {} is in use by another spanmill (process {}): stop that one, or give this one a \
             data_dir of its own",
            self.path.display(),
            if holder.is_empty() { "unknown" } else { holder.trim() },
        );
        io::Error::new(io::ErrorKind::ResourceBusy, message)
    }
}

fn named(error: &io::Error, what: &str, path: &Path) -> io::Error {
    io::Error::new(error.kind(), format!("{what} {}: {error}", path.display()))
}

impl Disk for Directory {
    fn names(&self) -> io::Result<Vec<String>> {
        let entries = fs::read_dir(&self.path)?;
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let file = fs::File::options()
            .create(true)
            .truncate(true)
            .read(true)
            .write(true)
            .open(self.path.join(name))?;
        Ok(Arc::new(file))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(fs::File::options().read(true).write(true).open(self.path.join(name))?))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn sync(&self) -> io::Result<()> {
        fs::File::open(&self.path)?.sync_all()
    }
}

impl File for fs::File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        FileExt::read_at(self, into, at)
    }

    fn write_at(&self, parts: &[IoSlice<'_>], at: u64) -> io::Result<usize> {
        Ok(rustix::io::pwritev(self, parts, at)?)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        self.set_len(size)
    }

    fn reserve(&self, size: u64) -> io::Result<()> {
        Ok(rustix::fs::fallocate(self, FallocateFlags::KEEP_SIZE, 0, size)?)
    }
}

/// Writes all parts at `at`. What was written before an error stays.
pub fn write_all(file: &dyn File, mut parts: &mut [IoSlice<'_>], mut at: u64) -> io::Result<()> {
    IoSlice::advance_slices(&mut parts, 0);
    while !parts.is_empty() {
        match file.write_at(parts, at) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                at += written as u64;
                IoSlice::advance_slices(&mut parts, written);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads until `into` is full or the file ends; says how much.
pub fn read_full(file: &dyn File, into: &mut [u8], at: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < into.len() {
        match file.read_at(&mut into[filled..], at + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
