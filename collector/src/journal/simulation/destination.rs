//! A destination of the simulated log: a reader, and a checkpoint on the same bad disk.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::Position;
use super::super::checkpoint::{Checkpoint, Stored};
use super::super::log::Log;
use super::super::reader::Reader;
use super::super::simulated_disk::SimulatedDisk;
use super::{Record, number};

pub struct Destination {
    seed: u64,
    pub name: &'static str,
    reader: Reader,
    /// Numbers that it was given, at least once each.
    pub done: BTreeSet<usize>,
    last: Option<usize>,
    /// What it has said that it passed.
    passed: Position,
    /// Its checkpoint's file was damaged, or not stored as a whole.
    pub is_rotten: bool,
}

impl Destination {
    pub fn new(seed: u64, name: &'static str, log: &Log, disk: &SimulatedDisk) -> Destination {
        let reader = Reader::new(Arc::clone(log.shared()), Position(0));
        let (done, last, passed) = (BTreeSet::new(), None, Position(0));
        let mut new = Destination { seed, name, reader, done, last, passed, is_rotten: false };
        new.store(log, disk);
        new
    }

    /// What comes next: in order, until a restart.
    pub fn read(&mut self, bytes: usize) -> Vec<Record> {
        let mut out = Vec::new();
        self.reader.read(bytes, &mut out).expect("files can always be opened");
        for number in out.iter().map(number) {
            assert!(self.last < Some(number), "seed {}: {number} after {:?}", self.seed, self.last);
            self.last = Some(number);
            self.done.insert(number);
        }
        out
    }

    pub fn store(&mut self, log: &Log, disk: &SimulatedDisk) {
        let position = self.reader.position();
        let instance = log.shared().state().instance;
        match (Checkpoint { instance, position, spans_before: 0 }).store(disk, self.name) {
            Ok(()) => {
                (self.passed, self.is_rotten) = (position, false);
                log.shared().passed(self.name, position);
            }
            Err(_) => self.is_rotten = true,
        }
    }

    /// After a restart it goes on where it said that it was, or earlier.
    pub fn resume(&mut self, log: &Log, disk: &SimulatedDisk) {
        let stored = Checkpoint::load(disk, self.name).expect("files can always be opened");
        let position = match stored {
            Stored::Whole(stored) => {
                assert!(stored.position >= self.passed || self.is_rotten, "seed {}", self.seed);
                stored.position.min(*log.shared().end.borrow())
            }
            Stored::None | Stored::Damaged => {
                assert!(self.is_rotten, "seed {}: {} lost its checkpoint", self.seed, self.name);
                Position(0)
            }
        };
        self.reader = Reader::new(Arc::clone(log.shared()), position);
        self.last = None;
        self.passed = position;
        log.shared().passed(self.name, position);
    }
}
