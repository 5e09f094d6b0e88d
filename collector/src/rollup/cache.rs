//! Remembers which provider the clues of a span lead to: one look-up by borrowed bytes in the steady state.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::name::Clues;
use super::observed::Name;

/// Entries at most, about 100 bytes each: some hundred hosts with some hundred addresses. Full, it starts anew.
const ENTRIES_MAX: usize = 32_768;
/// Of each clue this much is looked at: a host has at most 253 bytes, a name of 64 is cut anyway.
const CLUE_MAX: usize = 256;

/// Where a call is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// Index into the roll-up's providers; `None` = not on the board.
    pub provider: Option<usize>,
    pub endpoint: Name,
    /// The peer's host, where neither the span nor a rule names it.
    pub unmapped: Option<Name>,
    pub conflict: bool,
}

#[derive(Debug, Default)]
pub struct Cache {
    entries: HashTable<(Box<[u8]>, Target)>,
    hasher: RandomState,
    /// The key last looked up; kept for its room.
    key: Vec<u8>,
}

impl Cache {
    #[inline]
    pub fn find(&mut self, environment: u8, clues: &Clues<'_>) -> Option<Target> {
        self.write_key(environment, clues);
        let hash = self.hasher.hash_one(self.key.as_slice());
        self.entries.find(hash, |(key, _)| **key == *self.key).map(|(_, target)| *target)
    }

    /// Remembers what the key last looked up leads to.
    pub fn remember(&mut self, target: Target) {
        if self.entries.len() == ENTRIES_MAX {
            self.entries.clear();
        }
        let Cache { entries, hasher, key } = self;
        let hash = hasher.hash_one(key.as_slice());
        entries.insert_unique(hash, (key.as_slice().into(), target), |(key, _)| hasher.hash_one(&**key));
    }

    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// Lengths stand before the bytes, so no two sets of clues make one key.
    #[inline]
    fn write_key(&mut self, environment: u8, clues: &Clues<'_>) {
        self.key.clear();
        self.key.push(environment);
        self.key.extend_from_slice(&clues.port.unwrap_or(0).to_le_bytes());
        let path_class = clues.path_class.as_bytes();
        for clue in [clues.provider, clues.host, clues.url_host, clues.address, clues.inner, path_class] {
            let clue = &clue[..clue.len().min(CLUE_MAX)];
            self.key.extend_from_slice(&(clue.len() as u16).to_le_bytes());
            self.key.extend_from_slice(clue);
        }
    }
}
