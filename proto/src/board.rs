//! The verdict board: what the daemon thinks of each provider, in a file that applications map and read in nanoseconds.
//!
//! Every field is a word of 64 bits (little-endian) that is loaded and stored whole, so nothing is ever half read; the
//! words of one entry belong together by its sequence number, which is odd while they are being written.
//!
//! ```text
//! header  16 words: 0 magic "SPMLBORD" │ 1 version u32, buckets u32 │ 2 entries u32, u32 zero
//!                   3 heartbeat, ns of CLOCK_BOOTTIME │ 4 not zero: replaced, open the path again
//!                   5 names in use │ 6 entries in use │ 7 … zero
//! bucket  16 words: 0 hash of the name, 0 = free │ 1 entry u32, bytes of the name u32 │ 2 … 9 the name │ 10 … zero
//! entry    8 words: 0 sequence │ 1 verdict u8, scope u8, u16 zero, generation u32 │ 2 since, unix ns │ 3 hash of the
//!                   scope's key │ 4 p95 of the last 60 s, ns │ 5 usual p95, ns │ 6 failures per million │ 7 in flight
//! ```
//! The buckets are an open-addressed table. A look-up begins at `hash & (buckets - 1)`, goes on by one, ends at a free
//! bucket or after [`PROBES_MAX`], and compares the whole name. Canonical names and aliases are names alike; several
//! may lead to one entry. Names only ever come: a hash is stored after its name, so a reader finds all of it or
//! nothing. A board that has to lose names is written anew beside the old one and takes its place by rename.

use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release, fence};
use std::time::Duration;

use crate::verdict::{Scope, Verdict};

/// Version of the layout.
pub const VERSION: u32 = 1;
/// Providers that a board holds; twice what the daemon tracks.
pub const ENTRIES: usize = 1024;
/// Names and aliases: four for each provider. A power of two.
pub const BUCKETS: usize = 4096;
/// Names that are let in: three quarters, so that a look-up ends after a few steps.
pub const NAMES_MAX: usize = BUCKETS / 4 * 3;
/// Longest look-up, whatever the file says.
pub const PROBES_MAX: usize = 256;
/// Bytes of a name, as design §5.1 limits them.
pub const NAME_BYTES_MAX: usize = 64;
/// A heartbeat that is older tells of a daemon that is gone or stuck: nothing on the board counts any more.
pub const STALE_AFTER: Duration = Duration::from_secs(5);
/// Tries to read an entry that is being written at the same time.
const READS_MAX: usize = 8;

const MAGIC: u64 = u64::from_le_bytes(*b"SPMLBORD");
const HEADER_WORDS: usize = 16;
const BUCKET_WORDS: usize = 16;
const ENTRY_WORDS: usize = 8;
const ENTRIES_AT: usize = HEADER_WORDS + BUCKETS * BUCKET_WORDS;
const HEARTBEAT: usize = 3;
const REPLACED: usize = 4;
const NAMES_USED: usize = 5;
const ENTRIES_USED: usize = 6;
/// Words of a board.
pub const WORDS: usize = ENTRIES_AT + ENTRIES * ENTRY_WORDS;
/// Bytes of a board.
pub const BYTES: usize = WORDS * 8;

/// What the board says of a provider.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reading {
    pub verdict: Verdict,
    pub scope: Scope,
    /// [`hash`] of the host, service, operation or endpoint of the scope; 0 for everyone.
    pub scope_hash: u64,
    /// How often the verdict has changed, modulo 2^32.
    pub generation: u32,
    /// Since when the verdict stands.
    pub since_unix_ns: u64,
    /// 95th percentile of the last 60 s; `None` without calls.
    pub p95_ns: Option<u64>,
    /// What it usually is; `None` while learning.
    pub p95_usual_ns: Option<u64>,
    /// Share of failures of the last 60 s; `None` without calls.
    pub failures_per_million: Option<u64>,
    /// Calls that are open; `None` where nobody says.
    pub in_flight: Option<u64>,
}

/// The hash of a name, the same in every process: multiply and fold over words of eight bytes.
pub fn hash(name: &[u8]) -> u64 {
    let fold = |a: u64, b: u64| {
        let wide = u128::from(a) * u128::from(b);
        wide as u64 ^ (wide >> 64) as u64
    };
    let mut hash = name.len() as u64 ^ 0x9e37_79b9_7f4a_7c15;
    for chunk in name.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        hash = fold(hash ^ u64::from_le_bytes(word), 0xd6e8_feb8_6659_fd93);
    }
    // 0 marks a free bucket, and a product with 0 would stick.
    fold(hash ^ 0xa076_1d64_78bd_642f, 0xe703_7ed1_a0b4_28db) | 1
}

/// A name in the form in which the board keeps it: lower case, in words.
#[derive(Debug, Clone, Copy)]
struct Name {
    hash: u64,
    length: usize,
    words: [u64; NAME_BYTES_MAX / 8],
}

impl Name {
    fn new(name: &str) -> Option<Name> {
        let length = name.len();
        let mut bytes = [0; NAME_BYTES_MAX];
        bytes.get_mut(..length).filter(|_| length > 0)?.copy_from_slice(name.as_bytes());
        bytes[..length].make_ascii_lowercase();
        let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|byte| bytes[at * 8 + byte]));
        Some(Name { hash: hash(&bytes[..length]), length, words: std::array::from_fn(word) })
    }

    fn words(&self) -> &[u64] {
        &self.words[..self.length.div_ceil(8)]
    }
}

/// Why memory is not a board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadBoard {
    #[error("the file is shorter than a board")]
    Short,
    #[error("the file does not begin with SPMLBORD")]
    Magic,
    #[error("a board of version {0}; this program reads {VERSION}")]
    Version(u32),
    #[error("a board of another size than version {VERSION} has")]
    Size,
}

/// A board as its readers see it. The memory may change at any time, and is only ever loaded word by word: with
/// relaxed loads, which are defined on memory that is mapped for reading only, and fences between them.
#[derive(Debug, Clone, Copy)]
pub struct Board<'m> {
    words: &'m [AtomicU64],
}

impl<'m> Board<'m> {
    /// Checks the header.
    pub fn new(words: &'m [AtomicU64]) -> Result<Board<'m>, BadBoard> {
        let words = words.get(..WORDS).ok_or(BadBoard::Short)?;
        let header: [u64; 3] = std::array::from_fn(|at| words[at].load(Relaxed));
        fence(Acquire);
        match header {
            [magic, ..] if magic != MAGIC => Err(BadBoard::Magic),
            [_, version, _] if version as u32 != VERSION => Err(BadBoard::Version(version as u32)),
            [_, size, entries] if size >> 32 != BUCKETS as u64 || entries != ENTRIES as u64 => {
                Err(BadBoard::Size)
            }
            _ => Ok(Board { words }),
        }
    }

    /// The writer's last sign of life, in nanoseconds of `CLOCK_BOOTTIME`.
    pub fn heartbeat_ns(&self) -> u64 {
        self.words[HEARTBEAT].load(Relaxed)
    }

    /// Whether the writer is alive at this time of `CLOCK_BOOTTIME`. A heartbeat from the future is none.
    pub fn is_alive(&self, now_ns: u64) -> bool {
        // A reading of the clock may be a moment older than the heartbeat.
        let slack = Duration::from_millis(100).as_nanos() as u64;
        let heartbeat = self.heartbeat_ns();
        heartbeat <= now_ns.saturating_add(slack)
            && now_ns.saturating_sub(heartbeat) <= STALE_AFTER.as_nanos() as u64
    }

    /// True when another file has taken the place of this one.
    pub fn is_replaced(&self) -> bool {
        self.words[REPLACED].load(Relaxed) != 0
    }

    /// The entry of a provider, by its name or an alias, in any case; `None` for a name that is not there.
    pub fn find(&self, name: &str) -> Option<u32> {
        let name = Name::new(name)?;
        (0..PROBES_MAX).find_map(|step| self.probe(&name, step)).flatten()
    }

    /// `None` to go on, else what the search has found.
    #[inline]
    fn probe(&self, name: &Name, step: usize) -> Option<Option<u32>> {
        let bucket = (name.hash as usize).wrapping_add(step) & (BUCKETS - 1);
        let words = &self.words[HEADER_WORDS + bucket * BUCKET_WORDS..][..BUCKET_WORDS];
        let hash = words[0].load(Relaxed);
        if hash == 0 {
            return Some(None);
        }
        if hash != name.hash {
            return None;
        }
        // What stands in the bucket was stored before its hash.
        fence(Acquire);
        let about = words[1].load(Relaxed);
        let is_same = about >> 32 == name.length as u64
            && name.words().iter().zip(&words[2..]).all(|(word, there)| there.load(Relaxed) == *word);
        is_same.then_some(Some(about as u32).filter(|entry| (*entry as usize) < ENTRIES))
    }

    /// What an entry says. `None` when it was being written each of eight times: to the caller, unknown.
    pub fn read(&self, entry: u32) -> Option<Reading> {
        let words = self.entry(entry as usize)?;
        for _ in 0..READS_MAX {
            let before = words[0].load(Relaxed);
            fence(Acquire);
            let values: [u64; ENTRY_WORDS - 1] = std::array::from_fn(|at| words[at + 1].load(Relaxed));
            fence(Acquire);
            if before & 1 == 0 && words[0].load(Relaxed) == before {
                return Some(Reading::from_words(values));
            }
            std::hint::spin_loop();
        }
        None
    }

    fn entry(&self, entry: usize) -> Option<&'m [AtomicU64]> {
        self.words.get(ENTRIES_AT..)?.chunks_exact(ENTRY_WORDS).nth(entry)
    }
}

impl Reading {
    fn from_words(
        [about, since, scope_hash, p95, usual, failures, in_flight]: [u64; ENTRY_WORDS - 1],
    ) -> Reading {
        let known = |value: u64| (value != u64::MAX).then_some(value);
        Reading {
            verdict: Verdict::from_number(about as u8),
            scope: Scope::from_number((about >> 8) as u8),
            scope_hash,
            generation: (about >> 32) as u32,
            since_unix_ns: since,
            p95_ns: known(p95),
            p95_usual_ns: known(usual),
            failures_per_million: known(failures),
            in_flight: known(in_flight),
        }
    }

    fn to_words(self) -> [u64; ENTRY_WORDS - 1] {
        let about = self.verdict as u64 | (self.scope as u64) << 8 | u64::from(self.generation) << 32;
        let or_unknown = |value: Option<u64>| value.unwrap_or(u64::MAX);
        let figures =
            [self.p95_ns, self.p95_usual_ns, self.failures_per_million, self.in_flight].map(or_unknown);
        [about, self.since_unix_ns, self.scope_hash, figures[0], figures[1], figures[2], figures[3]]
    }
}

/// Why a name does not get onto the board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoPlace {
    #[error("a name has 1 to {NAME_BYTES_MAX} bytes")]
    Name,
    #[error("the board is full: {ENTRIES} providers, {NAMES_MAX} names")]
    Full,
    #[error("there is no such entry")]
    Entry,
}

/// A board as its one writer sees it; by ownership there is one in the process, by rename one per file.
#[derive(Debug)]
pub struct Writer<'m> {
    words: &'m [AtomicU64],
}

impl<'m> Writer<'m> {
    /// Makes zeroed memory a board. It counts from its first [`heartbeat`](Writer::heartbeat) on.
    ///
    /// `None` when the memory is shorter than [`WORDS`].
    pub fn format(words: &'m [AtomicU64]) -> Option<Writer<'m>> {
        let words = words.get(..WORDS)?;
        words[1].store(u64::from(VERSION) | (BUCKETS as u64) << 32, Relaxed);
        words[2].store(ENTRIES as u64, Relaxed);
        words[0].store(MAGIC, Release);
        Some(Writer { words })
    }

    /// Goes on with a board that this process has formatted before: for an owner of the memory that makes a writer
    /// each time it has something to write.
    pub fn resume(words: &'m [AtomicU64]) -> Result<Writer<'m>, BadBoard> {
        Board::new(words).map(|board| Writer { words: board.words })
    }

    /// The same memory as a reader sees it.
    pub fn board(&self) -> Board<'m> {
        Board { words: self.words }
    }

    /// A sign of life, once a second, in nanoseconds of `CLOCK_BOOTTIME`.
    pub fn heartbeat(&self, now_ns: u64) {
        self.words[HEARTBEAT].store(now_ns, Relaxed);
    }

    /// Tells readers to open the path again; after the rename.
    pub fn mark_replaced(&self) {
        self.words[REPLACED].store(1, Release);
    }

    /// The entry of a provider: the one it has, or a new one.
    pub fn provider(&mut self, name: &str) -> Result<u32, NoPlace> {
        if let Some(entry) = self.board().find(name) {
            return Ok(entry);
        }
        let entry = self.words[ENTRIES_USED].load(Relaxed);
        if entry as usize >= ENTRIES {
            return Err(NoPlace::Full);
        }
        // An entry that nothing leads to is not read, so its first content needs no sequence number.
        let unknown = Reading::default().to_words();
        let words = self.board().entry(entry as usize).ok_or(NoPlace::Full)?;
        words[1..].iter().zip(unknown).for_each(|(word, value)| word.store(value, Relaxed));
        self.alias(entry as u32, name)?;
        self.words[ENTRIES_USED].store(entry + 1, Relaxed);
        Ok(entry as u32)
    }

    /// Another name of the provider with this entry. A name that is there keeps its entry.
    pub fn alias(&mut self, entry: u32, name: &str) -> Result<(), NoPlace> {
        let name = Name::new(name).ok_or(NoPlace::Name)?;
        if entry as usize >= ENTRIES {
            return Err(NoPlace::Entry);
        }
        let names = self.words[NAMES_USED].load(Relaxed);
        for step in 0..PROBES_MAX {
            match self.board().probe(&name, step) {
                Some(Some(_)) => return Ok(()),
                None => continue,
                Some(None) if names as usize >= NAMES_MAX => return Err(NoPlace::Full),
                Some(None) => {}
            }
            let bucket = (name.hash as usize).wrapping_add(step) & (BUCKETS - 1);
            let words = &self.words[HEADER_WORDS + bucket * BUCKET_WORDS..][..BUCKET_WORDS];
            words[1].store(u64::from(entry) | (name.length as u64) << 32, Relaxed);
            name.words().iter().zip(&words[2..]).for_each(|(word, there)| there.store(*word, Relaxed));
            words[0].store(name.hash, Release);
            self.words[NAMES_USED].store(names + 1, Relaxed);
            return Ok(());
        }
        Err(NoPlace::Full)
    }

    /// Says something else of a provider.
    pub fn write(&mut self, entry: u32, reading: &Reading) -> Result<(), NoPlace> {
        let words = self.board().entry(entry as usize).ok_or(NoPlace::Entry)?;
        let sequence = words[0].load(Relaxed);
        words[0].store(sequence.wrapping_add(1), Relaxed);
        // A reader that sees one of the stores below sees the odd number, too.
        fence(Release);
        words[1..].iter().zip(reading.to_words()).for_each(|(word, value)| word.store(value, Relaxed));
        words[0].store(sequence.wrapping_add(2), Release);
        Ok(())
    }
}

#[cfg(test)]
#[path = "board_tests.rs"]
mod tests;
