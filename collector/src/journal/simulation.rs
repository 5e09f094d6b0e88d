//! The log over a disk that loses power, fills up, fails and rots, in random order.
//!
//! Each run is given by its seed, which a failure prints. Whatever happens: what was acknowledged is read back, what
//! is read was written, a reader always comes to the end, and a disk that works again is written to again.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::log::{Limits, Log, Pending};
use super::reader::Reader;
use super::simulated_disk::{Faults, Random, SimulatedDisk};
use super::{Durability, Overflow, Position, Record, record, segment, tail};
use crate::mask::MaskedBatch;

struct Item(MaskedBatch);

impl Pending for Item {
    fn batch(&self) -> &MaskedBatch {
        &self.0
    }

    fn body_crc(&self) -> u32 {
        crc32c::crc32c(self.0.bytes())
    }
}

/// What became of a body, by its number, which it begins with.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    /// Acknowledged; at this position.
    Kept(u64),
    /// Acknowledged, and then the disk was damaged there, or lost power before it had to keep it.
    Doubtful,
    /// Refused; seen again at most after a crash that undid its cutting off.
    Refused,
}

struct World {
    seed: u64,
    random: Random,
    disk: Arc<SimulatedDisk>,
    limits: Limits,
    log: Log,
    now_unix_ns: u64,
    fates: Vec<Fate>,
    /// Numbers of refused bodies that were in the log when it was opened.
    ghosts: BTreeSet<usize>,
    /// There may be some: a refused write could not be cut off, or a power cut undid the cutting off.
    is_haunted: bool,
    follower: Reader,
    followed: usize,
}

fn open(disk: &Arc<SimulatedDisk>, limits: Limits) -> Log {
    Log::open(Arc::clone(disk) as _, limits, 7).expect("the disk works at the start")
}

impl World {
    fn new(seed: u64) -> World {
        let mut random = Random(seed);
        let disk = Arc::new(SimulatedDisk::default());
        let durability = if random.one_in(2) { Durability::Power } else { Durability::Process };
        let limits = Limits {
            segment_size: 4096,
            max_size: 40_000,
            max_age_ns: 1_000_000_000_000,
            durability,
            overflow: Overflow::Reject,
        };
        let log = open(&disk, limits);
        let follower = Reader::new(Arc::clone(log.shared()), Position(0));
        log.shared().passed("jaeger", Position(0));
        World {
            seed,
            random,
            disk,
            limits,
            log,
            now_unix_ns: 1,
            fates: Vec::new(),
            ghosts: BTreeSet::new(),
            is_haunted: false,
            follower,
            followed: 0,
        }
    }

    fn step(&mut self) {
        self.now_unix_ns += self.random.below(20_000_000_000) as u64;
        match self.random.below(100) {
            0..50 => self.write(),
            50..65 => self.follow(),
            65..73 => self.log.retain(self.now_unix_ns),
            73..75 => drop(self.log.probe(self.now_unix_ns)),
            75..84 => self.fail(),
            84..90 => self.log.shared().state().tail = tail::Tail::default(),
            90..94 => self.reopen(false),
            94..97 => self.reopen(true),
            97..99 => self.rot(),
            _ => self.check(),
        }
    }

    fn write(&mut self) {
        let count = 1 + self.random.below(4);
        let mut group: Vec<Item> = (0..count).map(|i| self.item(self.fates.len() + i)).collect();
        while !group.is_empty() {
            let mut result = self.log.write(&group, self.now_unix_ns);
            if result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::StorageFull)
                && self.log.make_room()
            {
                result = self.log.write(&group, self.now_unix_ns);
            }
            match result {
                Ok((mut position, count)) => {
                    for item in group.drain(..count) {
                        self.fates.push(Fate::Kept(position.0));
                        position.0 += item.record_len();
                    }
                }
                Err(_) => {
                    self.fates.extend(group.drain(..).map(|_| Fate::Refused));
                }
            }
        }
    }

    /// Begins with its number; the rest is likely to look like records.
    fn item(&mut self, number: usize) -> Item {
        let size = if self.random.one_in(20) { self.random.below(9000) } else { self.random.below(700) };
        let mut bytes = (number as u64).to_le_bytes().to_vec();
        while bytes.len() < 8 + size {
            if self.random.one_in(10) {
                bytes.extend(record::MAGIC);
            }
            bytes.push(self.random.next() as u8);
        }
        let spans = 1 + self.random.below(9) as u32;
        Item(MaskedBatch::restored(Bytes::from(bytes), spans, self.now_unix_ns, 0))
    }

    /// A follower is given everything in order, and passes it.
    fn follow(&mut self) {
        let mut out = Vec::new();
        let bytes = 1 + self.random.below(20_000);
        self.follower.read(bytes, &mut out).expect("files can always be opened");
        for record in &out {
            let number = self.verify(record);
            assert!(number >= self.followed, "seed {}: {number} after {}", self.seed, self.followed);
            for skipped in self.followed..number {
                let Fate::Kept(position) = self.fates[skipped] else { continue };
                panic!("seed {}: the follower missed {skipped} at {position}", self.seed);
            }
            self.followed = number + 1;
        }
        self.log.shared().passed("jaeger", self.follower.position());
    }

    /// The number of a record that was read, which must be what was written.
    fn verify(&self, record: &Record) -> usize {
        let bytes = record.batch.bytes();
        let number = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        match self.fates[number] {
            Fate::Kept(position) => assert_eq!(position, record.position.0, "seed {}", self.seed),
            Fate::Doubtful => {}
            Fate::Refused => assert!(self.ghosts.contains(&number), "seed {}: refused {number}", self.seed),
        }
        number
    }

    fn fail(&mut self) {
        let mut on = || self.random.one_in(4);
        let faults = Faults { full: on(), write: on(), sync: on(), truncate: on() };
        self.is_haunted |= faults.truncate;
        self.disk.set_faults(faults);
    }

    fn reopen(&mut self, power_cut: bool) {
        self.disk.set_faults(Faults::default());
        if self.random.one_in(3) {
            self.log.close_segment();
        }
        if power_cut {
            self.is_haunted = true;
            self.disk.power_cut(&mut self.random);
            if self.limits.durability == Durability::Process {
                self.doubt(|_| true);
            }
        }
        let end_before = self.log.shared().state().end;
        self.log = open(&self.disk, self.limits);
        assert!(self.log.shared().state().end >= end_before.min(self.follower.position().0));
        self.find_ghosts();
        // Where the follower left off, as its checkpoint says.
        let from = self.follower.position();
        self.follower = Reader::new(Arc::clone(self.log.shared()), from);
        self.log.shared().passed("jaeger", from);
        self.check();
    }

    fn find_ghosts(&mut self) {
        for record in self.read_all(Position(0)) {
            let number = u64::from_le_bytes(record.batch.bytes()[..8].try_into().unwrap()) as usize;
            if self.fates[number] == Fate::Refused {
                assert!(self.is_haunted, "seed {}: {number} was refused and is there", self.seed);
                self.ghosts.insert(number);
            }
        }
    }

    fn doubt(&mut self, is_hit: impl Fn(u64) -> bool) {
        for fate in &mut self.fates {
            if matches!(fate, Fate::Kept(position) if is_hit(*position)) {
                *fate = Fate::Doubtful;
            }
        }
    }

    /// Something on the disk changes by itself.
    fn rot(&mut self) {
        let Some((name, at)) = self.disk.flip_bit(&mut self.random) else { return };
        let Some(first) = segment::first_of(&name) else { return };
        let Some(at) = (at as u64).checked_sub(segment::HEADER_LEN) else { return };
        let kept: Vec<u64> = self.fates.iter().filter_map(Fate::position).collect();
        let hit = kept.iter().copied().filter(|position| *position <= first + at).max();
        self.doubt(|position| Some(position) == hit);
    }

    fn read_all(&self, from: Position) -> Vec<Record> {
        let mut reader = Reader::new(Arc::clone(self.log.shared()), from);
        let mut out = Vec::new();
        for reads in 0.. {
            let before = (out.len(), reader.position());
            reader.read(3000, &mut out).expect("files can always be opened");
            if (out.len(), reader.position()) == before {
                break;
            }
            assert!(reads < 10_000, "seed {}: the reader does not come to an end", self.seed);
        }
        out
    }

    /// All that was acknowledged and not deleted is there, in order, each once.
    fn check(&self) {
        let records = self.read_all(Position(0));
        let first = self.log.shared().state().segments.first().map_or(0, |segment| segment.header.first);
        let mut read = BTreeMap::new();
        for record in &records {
            assert!(read.insert(self.verify(record), ()).is_none(), "seed {}: read twice", self.seed);
        }
        assert!(records.is_sorted_by(|a, b| a.next <= b.position), "seed {}: out of order", self.seed);
        for (number, fate) in self.fates.iter().enumerate() {
            if let Fate::Kept(position) = fate
                && *position >= first
            {
                assert!(read.contains_key(&number), "seed {}: {number} at {position} is lost", self.seed);
            }
        }
    }

    /// However it ended, a working disk is written to again, and what waited is all there.
    fn end(mut self) {
        self.disk.set_faults(Faults::default());
        self.log.probe(self.now_unix_ns).expect("a working disk can be written");
        assert!(self.log.shared().writable.load(Ordering::Relaxed), "seed {}", self.seed);
        let before = self.fates.len();
        self.write();
        assert!(self.fates[before..].iter().all(|fate| matches!(fate, Fate::Kept(_))), "seed {}", self.seed);
        self.check();
    }
}

impl Fate {
    fn position(&self) -> Option<u64> {
        match self {
            Fate::Kept(position) => Some(*position),
            _ => None,
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost_on_a_bad_disk() {
    for seed in 0..250 {
        let mut world = World::new(seed);
        (0..400).for_each(|_| world.step());
        world.end();
    }
}
