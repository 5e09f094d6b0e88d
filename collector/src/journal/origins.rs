//! Which parts of other daemons' logs are in this one: so that what an agent sends again is not kept again.
//!
//! Exact, because the parts are ranges of positions: a range is here as a whole, or not at all, or the sender is told
//! to cut it. Kept in a file of its own for each time a segment ends; what came later is read from the records.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use super::disk::{self, Disk};
use super::record::{u32_at, u64_at, u128_at};
use super::shared::Shared;
use crate::mask::Origin;

pub const FILE: &str = "origins";

/// Logs that are known; the one that was quiet for longest makes room. A fleet of 1,500 hosts, each with a second
/// log after its disk was replaced, fits.
const LOGS_MAX: usize = 4096;

/// Ranges of one log. A segment of the agent ends in a gap, so there is one range for each 64 MiB; and what is sent
/// at present lies side by side. A gap that is so many ranges back is none that an agent still fills.
const RANGES_MAX: usize = 256;

const MAGIC: [u8; 8] = *b"SPMLORGN";
const VERSION: u32 = 1;
/// Bytes before the first log.
const HEADER_LEN: usize = 48;

/// Where a batch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    New,
    Known,
    /// Another copy of it is being written just now.
    BeingWritten,
    /// A part of it is here and a part is not.
    Overlaps,
}

#[derive(Debug, Default, Clone)]
pub struct Origins {
    logs: HashMap<u128, Log>,
    /// Counts what was covered, to tell the quiet from the busy.
    now: u64,
}

#[derive(Debug, Default, Clone)]
struct Log {
    /// Ascending, with gaps between them.
    ranges: Vec<(u64, u64)>,
    being_written: Vec<(u64, u64)>,
    used: u64,
}

impl Origins {
    pub fn standing(&self, origin: Origin) -> Standing {
        let Some(log) = self.logs.get(&origin.instance) else { return Standing::New };
        let touches = |range: &&(u64, u64)| range.0 < origin.end && origin.begin < range.1;
        // What is being written decides first: with it done, the rest may be known as well.
        if log.being_written.iter().any(|range| touches(&range)) {
            return Standing::BeingWritten;
        }
        let at = log.ranges.partition_point(|range| range.1 <= origin.begin);
        match log.ranges.get(at).filter(touches) {
            None => Standing::New,
            Some(range) if range.0 <= origin.begin && origin.end <= range.1 => Standing::Known,
            Some(_) => Standing::Overlaps,
        }
    }

    /// It is in the log.
    pub fn cover(&mut self, origin: Origin) {
        self.now += 1;
        let now = self.now;
        let log = self.log(origin.instance);
        log.used = now;
        log.cover(origin.begin, origin.end);
    }

    fn log(&mut self, instance: u128) -> &mut Log {
        if self.logs.len() >= LOGS_MAX && !self.logs.contains_key(&instance) {
            let idle = self.logs.iter().filter(|(_, log)| log.being_written.is_empty());
            if let Some(quiet) = idle.min_by_key(|(_, log)| log.used).map(|(instance, _)| *instance) {
                self.logs.remove(&quiet);
            }
        }
        self.logs.entry(instance).or_default()
    }

    /// The state as a file, for the records before `position` of the log `instance`.
    pub fn encode(&self, instance: u128, position: u64) -> Vec<u8> {
        let mut out = vec![0; HEADER_LEN];
        out[..8].copy_from_slice(&MAGIC);
        out[8..12].copy_from_slice(&VERSION.to_le_bytes());
        out[16..32].copy_from_slice(&instance.to_le_bytes());
        out[32..40].copy_from_slice(&position.to_le_bytes());
        let known: Vec<_> = self.logs.iter().filter(|(_, log)| !log.ranges.is_empty()).collect();
        out[40..44].copy_from_slice(&(known.len() as u32).to_le_bytes());
        for (instance, log) in known {
            out.extend_from_slice(&instance.to_le_bytes());
            out.extend_from_slice(&(log.ranges.len() as u64).to_le_bytes());
            for (begin, end) in &log.ranges {
                out.extend_from_slice(&begin.to_le_bytes());
                out.extend_from_slice(&end.to_le_bytes());
            }
        }
        let crc = checksum(&out);
        out[12..16].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// What the file of the log `instance` says, and up to which position; nothing and 0 where it says nothing.
    pub fn load(disk: &dyn Disk, instance: u128) -> io::Result<(Origins, u64)> {
        let file = match disk.open(FILE) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Default::default()),
            Err(error) => return Err(error),
        };
        let mut bytes = vec![0; file.size()? as usize];
        let read = disk::read_full(&*file, &mut bytes, 0)?;
        Ok(decode(&bytes[..read], instance).unwrap_or_default())
    }
}

impl Log {
    fn cover(&mut self, mut begin: u64, mut end: u64) {
        let from = self.ranges.partition_point(|range| range.1 < begin);
        let to = self.ranges.partition_point(|range| range.0 <= end);
        if let Some(touched) = self.ranges.get(from..to).filter(|touched| !touched.is_empty()) {
            begin = begin.min(touched[0].0);
            end = end.max(touched[touched.len() - 1].1);
        }
        self.ranges.splice(from..to, [(begin, end)]);
        if self.ranges.len() > RANGES_MAX {
            self.ranges[1].0 = self.ranges[0].0;
            self.ranges.remove(0);
        }
    }
}

fn checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), &bytes[16..])
}

fn decode(bytes: &[u8], instance: u128) -> Option<(Origins, u64)> {
    let is_whole = bytes.len() >= HEADER_LEN
        && bytes[..8] == MAGIC
        && u32_at(bytes, 8..12) == VERSION
        && u32_at(bytes, 12..16) == checksum(bytes)
        && u128_at(bytes, 16..32) == instance;
    if !is_whole {
        return None;
    }
    let mut origins = Origins::default();
    let mut rest = &bytes[HEADER_LEN..];
    for _ in 0..u32_at(bytes, 40..44) {
        let (head, tail) = rest.split_at_checked(24)?;
        let count = usize::try_from(u64_at(head, 16..24)).ok()?;
        let (ranges, tail) = tail.split_at_checked(count.checked_mul(16)?)?;
        let ranges = ranges.chunks_exact(16).map(|range| (u64_at(range, 0..8), u64_at(range, 8..16)));
        let log = Log { ranges: ranges.collect(), ..Log::default() };
        origins.logs.insert(u128_at(head, 0..16), log);
        rest = tail;
    }
    Some((origins, u64_at(bytes, 32..40)))
}

/// The right to write a batch that came from another log; given back when it is written or cannot be.
#[derive(Debug)]
pub struct Claim {
    shared: Arc<Shared>,
    origin: Origin,
}

impl Claim {
    /// Ok if it is new: until the claim is dropped, another copy of it is [`Standing::BeingWritten`].
    pub fn take(shared: &Arc<Shared>, origin: Origin) -> Result<Claim, Standing> {
        let mut origins = shared.origins();
        match origins.standing(origin) {
            Standing::New => {
                origins.log(origin.instance).being_written.push((origin.begin, origin.end));
                Ok(Claim { shared: Arc::clone(shared), origin })
            }
            standing => Err(standing),
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut origins = self.shared.origins();
        if let Some(log) = origins.logs.get_mut(&self.origin.instance) {
            let own = (self.origin.begin, self.origin.end);
            log.being_written.retain(|range| *range != own);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(begin: u64, end: u64) -> Origin {
        Origin { instance: 7, begin, end }
    }

    #[test]
    fn a_range_is_here_as_a_whole_or_not_at_all_or_overlaps() {
        let mut origins = Origins::default();
        origins.cover(of(100, 200));
        origins.cover(of(300, 400));
        origins.cover(of(200, 250));
        for (begin, end, standing) in [
            (0, 100, Standing::New),
            (250, 300, Standing::New),
            (400, 500, Standing::New),
            (100, 250, Standing::Known),
            (120, 130, Standing::Known),
            (300, 301, Standing::Known),
            (99, 101, Standing::Overlaps),
            (240, 260, Standing::Overlaps),
            (100, 400, Standing::Overlaps),
            (0, 1000, Standing::Overlaps),
        ] {
            assert_eq!(origins.standing(of(begin, end)), standing, "{begin}-{end}");
        }
        assert_eq!(origins.standing(Origin { instance: 8, ..of(100, 200) }), Standing::New);
    }

    #[test]
    fn halving_what_overlaps_ends_with_each_record_known_or_new() {
        let mut origins = Origins::default();
        origins.cover(of(30, 50));
        origins.cover(of(70, 80));
        let mut open = vec![(0, 100)];
        let (mut new, mut known) = (0, 0);
        while let Some((begin, end)) = open.pop() {
            match origins.standing(of(begin, end)) {
                Standing::New => new += end - begin,
                Standing::Known => known += end - begin,
                _ => {
                    let middle = begin + (end - begin).div_ceil(20) * 10;
                    open.extend([(begin, middle), (middle, end)]);
                }
            }
        }
        assert_eq!((new, known), (70, 30));
    }

    #[test]
    fn the_file_says_the_same_and_no_damaged_or_foreign_file_says_anything() {
        let mut origins = Origins::default();
        origins.cover(of(100, 200));
        origins.cover(of(300, 400));
        origins.cover(Origin { instance: u128::MAX, begin: 0, end: 9 });
        let bytes = origins.encode(5, 4096);
        let (read, position) = decode(&bytes, 5).unwrap();
        assert_eq!(position, 4096);
        for begin in (0..500).step_by(50) {
            assert_eq!(read.standing(of(begin, begin + 50)), origins.standing(of(begin, begin + 50)));
        }
        assert!(decode(&bytes, 6).is_none());
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 4;
            assert!(decode(&damaged, 5).is_none(), "byte {at}");
            assert!(decode(&bytes[..at], 5).is_none(), "cut at {at}");
        }
    }

    #[test]
    fn neither_many_logs_nor_many_gaps_fill_the_memory() {
        let mut origins = Origins::default();
        for instance in 0..LOGS_MAX as u128 + 100 {
            origins.cover(Origin { instance, begin: 1, end: 2 });
        }
        assert_eq!(origins.logs.len(), LOGS_MAX);
        assert_eq!(origins.standing(Origin { instance: 0, begin: 1, end: 2 }), Standing::New);
        for i in 0..1000 {
            origins.cover(of(i * 10, i * 10 + 5));
        }
        assert_eq!(origins.logs[&7].ranges.len(), RANGES_MAX);
        assert_eq!(origins.standing(of(9_990, 9_995)), Standing::Known);
        assert_eq!(origins.standing(of(9_995, 10_000)), Standing::New);
    }
}
