//! What a destination refuses for good is kept aside, so that somebody can look at it, mend it or send it again.
//!
//! One file for each refused batch, an OTLP export request of masked bytes, and beside it a file that says why.
//! Bounded: the oldest make room. It never holds up the queue: what cannot be kept is lost, and counted as refused.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::BytesMut;

use super::batch::Batch;
use super::name::Name;

/// Files of one destination; what is beyond them tells nothing new.
const FILES_MAX: usize = 1_000;
/// Bytes of one destination: a few dozen of the largest requests, and little beside a journal.
const BYTES_MAX: u64 = 64 << 20;

/// The folder of one destination.
#[derive(Debug)]
pub struct Poison {
    dir: PathBuf,
    /// Oldest first; `None` until the folder was looked at.
    kept: Option<VecDeque<Kept>>,
    bytes_max: u64,
}

#[derive(Debug)]
struct Kept {
    /// Without extension.
    path: PathBuf,
    bytes: u64,
}

impl Poison {
    pub fn new(dir: &Path) -> Poison {
        Poison { dir: dir.to_owned(), kept: None, bytes_max: BYTES_MAX }
    }

    /// Keeps `batch` and says where; makes room before.
    pub fn keep(&mut self, batch: &Batch, name: Name, reason: &str, now_unix_ns: u64) -> io::Result<PathBuf> {
        fs::create_dir_all(&self.dir)?;
        let bytes = batch.bytes() as u64;
        let mut kept = match self.kept.take() {
            Some(kept) => kept,
            None => found(&self.dir)?,
        };
        while kept.len() >= FILES_MAX
            || kept.iter().map(|one| one.bytes).sum::<u64>() + bytes > self.bytes_max
        {
            let Some(oldest) = kept.pop_front() else { break };
            remove(&oldest.path);
        }
        let path = self.dir.join(format!("{now_unix_ns:020}-{:020}", name.begin));
        let written = write(&path, batch, name, reason, now_unix_ns);
        if written.is_ok() {
            kept.retain(|one| one.path != path);
            kept.push_back(Kept { path: path.clone(), bytes });
        } else {
            // Half a request is worse than none.
            remove(&path);
        }
        self.kept = Some(kept);
        written.map(|()| path.with_extension("pb"))
    }
}

/// What earlier runs kept, oldest first: the names begin with the time.
fn found(dir: &Path) -> io::Result<VecDeque<Kept>> {
    let mut kept = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.path().extension().is_some_and(|extension| extension == "pb") {
            kept.push(Kept { path: entry.path().with_extension(""), bytes: entry.metadata()?.len() });
        }
    }
    kept.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(kept.into())
}

fn write(path: &Path, batch: &Batch, name: Name, reason: &str, now_unix_ns: u64) -> io::Result<()> {
    let why = format!(
        "spans: {}\nrefused_unix_s: {}\nspanmill-batch: {name}\nreason: {reason}\n",
        batch.spans(),
        now_unix_ns / 1_000_000_000
    );
    fs::write(path.with_extension("txt"), why)?;
    let mut file = fs::File::create(path.with_extension("pb"))?;
    batch.pieces(BytesMut::new()).iter().try_for_each(|piece| file.write_all(piece))
}

/// A file that is gone already is as good as removed.
fn remove(path: &Path) {
    for extension in ["pb", "txt"] {
        let _ = fs::remove_file(path.with_extension(extension));
    }
}

#[cfg(test)]
mod tests {
    use super::super::batch::Gather;
    use super::super::fixture::record;
    use super::*;

    fn batch(at: u64, size: usize) -> Batch {
        let mut gather = Gather::default();
        gather.push(&record(at, vec![at as u8; size].into(), 1), 1 << 20);
        gather.take(1 << 20).unwrap()
    }

    fn names(dir: &Path) -> Vec<String> {
        let name = |path: PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| name(entry.unwrap().path())).collect();
        names.sort();
        names
    }

    #[test]
    fn the_oldest_make_room_also_those_of_an_earlier_run() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("jaeger");
        for at in 0..5 {
            // Each time as after a restart.
            let mut poison = Poison { bytes_max: 250, ..Poison::new(&dir) };
            let path =
                poison.keep(&batch(at, 100), batch(at, 100).name(1), "too old", 9_000_000_000).unwrap();
            assert_eq!(fs::read(&path).unwrap(), [at as u8; 100]);
            let why = fs::read_to_string(path.with_extension("txt")).unwrap();
            assert!(why.contains("reason: too old") && why.contains("refused_unix_s: 9\n"), "{why}");
        }
        let stem = |at: u64| format!("{:020}-{at:020}", 9_000_000_000u64);
        let expected = [3, 4].map(|at| [format!("{}.pb", stem(at)), format!("{}.txt", stem(at))]).concat();
        assert_eq!(names(&dir), expected);
    }

    #[test]
    fn what_cannot_be_kept_is_said_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        let mut poison = Poison::new(&dir.path().join("file"));
        assert!(poison.keep(&batch(1, 10), batch(1, 10).name(1), "", 0).is_err());
    }
}
