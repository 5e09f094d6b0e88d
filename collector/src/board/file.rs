//! The board file: made beside its place and put there by rename, then written word by word as long as it lives.

use std::collections::HashMap;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use spanmill_proto::board::{self, NoPlace, Reading, Writer};
use spanmill_proto::shared::Shared;
use spanmill_proto::v1::ProviderVerdict;
use spanmill_proto::verdict::{Scope, Verdict};

/// A board that is full of names that nobody needs any more is made anew at most this often: every reader has to
/// open it again.
const RENEW_EVERY: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub struct File {
    path: PathBuf,
    memory: Shared,
    inode: Option<u64>,
    entries: HashMap<String, Entry>,
    made: Instant,
    /// Names that found no place were said.
    is_full: bool,
}

#[derive(Debug)]
struct Entry {
    number: u32,
    said: Option<Reading>,
    aliases: Vec<String>,
    /// Of the last writing in which it was named.
    round: bool,
}

impl File {
    /// Makes the board at `path`, in the place of one that an earlier daemon left there.
    pub fn create(path: &Path) -> io::Result<File> {
        let memory = make(path)?;
        let (path, inode, made) = (path.to_owned(), inode(path), Instant::now());
        Ok(File { path, memory, inode, entries: HashMap::new(), made, is_full: false })
    }

    /// Writes what has changed, and gives a sign of life. A provider that is not named any more is unknown.
    pub fn write(&mut self, verdicts: &[&ProviderVerdict]) {
        self.entries.values_mut().for_each(|entry| entry.round = false);
        let mut no_place = 0;
        for verdict in verdicts {
            if self.put(verdict) == Err(NoPlace::Full) {
                no_place += 1;
            }
        }
        let mut writer = writer(&self.memory);
        let mut forgotten = 0;
        for entry in self.entries.values_mut().filter(|entry| !entry.round) {
            forgotten += 1;
            if entry.said.take().is_some() {
                let written = writer.write(entry.number, &Reading::default());
                written.expect("an entry that was given is there");
            }
        }
        writer.heartbeat(boot_ns());
        if no_place > 0 && forgotten > 0 && self.made.elapsed() >= RENEW_EVERY {
            self.renew();
        } else if no_place > 0 && !self.is_full {
            self.is_full = true;
            tracing::warn!("{no_place} providers have no place on the verdict board: it is full");
        }
    }

    fn put(&mut self, verdict: &ProviderVerdict) -> Result<(), NoPlace> {
        let mut writer = writer(&self.memory);
        let entry = match self.entries.get_mut(&verdict.provider) {
            Some(entry) => entry,
            None => {
                let number = writer.provider(&verdict.provider)?;
                let entry = Entry { number, said: None, aliases: Vec::new(), round: true };
                self.entries.entry(verdict.provider.clone()).or_insert(entry)
            }
        };
        entry.round = true;
        if entry.aliases != verdict.aliases {
            for alias in &verdict.aliases {
                writer.alias(entry.number, alias)?;
            }
            entry.aliases.clone_from(&verdict.aliases);
        }
        let reading = reading(verdict);
        if entry.said != Some(reading) {
            writer.write(entry.number, &reading)?;
            entry.said = Some(reading);
        }
        Ok(())
    }

    /// Makes a new board with those names only that are in use; the next writing fills it.
    fn renew(&mut self) {
        match make(&self.path) {
            Ok(memory) => {
                writer(&self.memory).mark_replaced();
                (self.memory, self.inode) = (memory, inode(&self.path));
                self.entries.clear();
                self.is_full = false;
            }
            Err(error) => tracing::warn!("the verdict board can't be made anew: {error}"),
        }
        self.made = Instant::now();
    }
}

impl Drop for File {
    fn drop(&mut self) {
        writer(&self.memory).mark_replaced();
        // Another daemon's board may be there by now.
        if inode(&self.path) == self.inode {
            drop(fs::remove_file(&self.path));
        }
    }
}

fn writer(memory: &Shared) -> Writer<'_> {
    Writer::resume(memory.words()).expect("what was formatted as a board is one")
}

fn make(path: &Path) -> io::Result<Shared> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(name);
    // One that a process of this number left behind when it was killed.
    drop(fs::remove_file(&beside));
    let memory = Shared::create(&beside, board::BYTES)?;
    Writer::format(memory.words()).expect("it is as long as a board");
    // Everybody on this host may read verdicts, whatever our umask.
    fs::set_permissions(&beside, Permissions::from_mode(0o644))?;
    fs::rename(&beside, path)?;
    Ok(memory)
}

fn inode(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().map(|data| data.ino())
}

/// `CLOCK_BOOTTIME`: it goes on while the host sleeps and does not jump when its clock is set.
pub fn boot_ns() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

fn reading(verdict: &ProviderVerdict) -> Reading {
    let number = |number: i32| u8::try_from(number).unwrap_or(0);
    let scope_hash = match verdict.scope_key.as_str() {
        "" => 0,
        key => board::hash(key.to_ascii_lowercase().as_bytes()),
    };
    Reading {
        verdict: Verdict::from_number(number(verdict.verdict)),
        scope: Scope::from_number(number(verdict.scope)),
        scope_hash,
        generation: verdict.generation,
        since_unix_ns: verdict.since_unix_ns,
        p95_ns: verdict.p95_ns,
        p95_usual_ns: verdict.p95_usual_ns,
        failures_per_million: verdict.failures_per_million,
        in_flight: verdict.in_flight,
    }
}
