//! A value that is made of files and made again when they change: certificates and tokens are replaced under load.
//!
//! Nothing watches: whoever asks for the value looks at the files, at most once a second. While the new files
//! cannot be used, half written or wrong, the last good value stays, and the log says so once for each change.

use std::fmt::{self, Display};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How often files are looked at. A rotation waits so long at most; a look costs a microsecond for each file.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub struct Rotating<T> {
    /// For the log: "the certificate of receive.otlp_grpc".
    what: String,
    files: Vec<PathBuf>,
    make: Box<dyn Fn() -> Result<T, String> + Send + Sync>,
    held: Mutex<Held<T>>,
}

struct Held<T> {
    value: Arc<T>,
    stamps: Vec<Option<Stamp>>,
    looked: Instant,
}

/// What changes when a file is written or another one takes its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl<T> Rotating<T> {
    /// Makes the first value, or says why that cannot be done.
    pub fn new<E: Display>(
        what: impl Into<String>,
        files: Vec<PathBuf>,
        make: impl Fn() -> Result<T, E> + Send + Sync + 'static,
    ) -> Result<Rotating<T>, E> {
        // The stamps first: a change while they are read shows at the next look.
        let stamps = files.iter().map(|file| stamp(file)).collect();
        let value = Arc::new(make()?);
        let make = Box::new(move || make().map_err(|error| error.to_string()));
        let held = Mutex::new(Held { value, stamps, looked: Instant::now() });
        Ok(Rotating { what: what.into(), files, make, held })
    }

    /// The value of the files as they are now, or were a second ago.
    pub fn current(&self) -> Arc<T> {
        let mut held = self.held.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if held.looked.elapsed() >= LOOK_EVERY {
            held.looked = Instant::now();
            self.look(&mut held);
        }
        Arc::clone(&held.value)
    }

    fn look(&self, held: &mut Held<T>) {
        let stamps: Vec<_> = self.files.iter().map(|file| stamp(file)).collect();
        if stamps == held.stamps {
            return;
        }
        held.stamps = stamps;
        match (self.make)() {
            Ok(value) => {
                held.value = Arc::new(value);
                tracing::info!("{}: the files have changed and are in use now", self.what);
            }
            Err(error) => {
                tracing::warn!(
                    "{}: the files have changed and cannot be used: {error}; the old ones stay in use until they \
                     can",
                    self.what
                );
            }
        }
    }
}

impl<T> fmt::Debug for Rotating<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rotating")
            .field("what", &self.what)
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

fn stamp(file: &Path) -> Option<Stamp> {
    let data = fs::metadata(file).ok()?;
    Some(Stamp { inode: data.ino(), size: data.size(), changed: (data.ctime(), data.ctime_nsec()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_is_read_again_and_a_bad_one_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("number");
        fs::write(&file, "1").unwrap();
        let read = {
            let file = file.clone();
            move || fs::read_to_string(&file).unwrap_or_default().parse::<u32>()
        };
        let number = Rotating::new("the number", vec![file.clone()], read).unwrap();
        let look = || {
            let mut held = number.held.lock().unwrap();
            number.look(&mut held);
            *held.value
        };
        assert_eq!((*number.current(), look()), (1, 1));
        fs::write(&file, "two").unwrap();
        assert_eq!(look(), 1);
        let replacement = dir.path().join("new");
        fs::write(&replacement, "3").unwrap();
        fs::rename(&replacement, &file).unwrap();
        assert_eq!(look(), 3);
        fs::remove_file(&file).unwrap();
        assert_eq!(look(), 3);
    }
}
