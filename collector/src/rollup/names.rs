//! Gives each provider, operation, service, host and endpoint a number: what comes after compares numbers, and
//! no text is copied for a span.
//!
//! A number means the same text for as long as the process lives, so nothing is ever taken out; the table is
//! bounded instead.

use std::hash::BuildHasher;
use std::sync::{Arc, PoisonError, RwLock};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::observed::{Name, Names};

/// Texts at most, some 100 bytes each: 512 providers with 32 operations take a quarter of it, 1,500 hosts with
/// their services little, and the rest is for endpoints and for what comes and goes over months.
const NAMES_MAX: usize = 65_536;
/// Hosts, services and endpoints, which senders choose freely, leave the last quarter to providers and operations.
const FREE_NAMES_MAX: usize = NAMES_MAX / 4 * 3;
/// Longest text kept; a host has at most 253 bytes, but nobody tells two apart behind the 128th.
const TEXT_MAX: usize = 128;

impl Name {
    /// The span does not say.
    pub const NONE: Name = Name(0);
    /// Something for which the table had no room.
    pub const OTHER: Name = Name(1);
}

/// The texts by number, shared with those who show them.
#[derive(Debug)]
pub struct Texts(RwLock<Vec<Arc<str>>>);

impl Names for Texts {
    fn text(&self, name: Name) -> Arc<str> {
        let texts = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&texts[name.0 as usize])
    }
}

/// The numbers by text. One writer: the fold.
#[derive(Debug)]
pub struct NameTable {
    numbers: HashTable<Name>,
    own: Vec<Arc<str>>,
    shared: Arc<Texts>,
    hasher: RandomState,
}

impl Default for NameTable {
    fn default() -> NameTable {
        let shared = Arc::new(Texts(RwLock::default()));
        let (numbers, own, hasher) = (HashTable::new(), Vec::new(), RandomState::default());
        let mut table = NameTable { numbers, own, shared, hasher };
        table.insert("");
        table.insert("_other");
        table
    }
}

impl NameTable {
    pub fn texts(&self) -> Arc<Texts> {
        Arc::clone(&self.shared)
    }

    /// The text of a number that this table gave.
    pub fn text(&self, name: Name) -> &str {
        &self.own[name.0 as usize]
    }

    /// The number of a name of which there are few: it may use the whole table.
    pub fn reserved(&mut self, text: &str) -> Name {
        self.number(text, NAMES_MAX)
    }

    /// The number of a service, a host or an endpoint, as the sender writes it.
    pub fn free(&mut self, text: &[u8]) -> Name {
        match self.find(text) {
            Some(name) => name,
            None => self.number(&clean(text), FREE_NAMES_MAX),
        }
    }

    fn find(&self, text: &[u8]) -> Option<Name> {
        // Most of what a call may say it does not say.
        if text.is_empty() && !self.own.is_empty() {
            return Some(Name::NONE);
        }
        let hash = self.hasher.hash_one(text);
        self.numbers.find(hash, |name| self.own[name.0 as usize].as_bytes() == text).copied()
    }

    fn number(&mut self, text: &str, max: usize) -> Name {
        match self.find(text.as_bytes()) {
            Some(name) => name,
            None if self.own.len() < max => self.insert(text),
            None => Name::OTHER,
        }
    }

    fn insert(&mut self, text: &str) -> Name {
        let name = Name(self.own.len() as u32);
        let text: Arc<str> = text.into();
        self.own.push(Arc::clone(&text));
        self.shared.0.write().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&text));
        let NameTable { numbers, own, hasher, .. } = self;
        let hash = hasher.hash_one(text.as_bytes());
        numbers.insert_unique(hash, name, |name| hasher.hash_one(own[name.0 as usize].as_bytes()));
        name
    }
}

/// One line of bounded length, cut at a whole character.
fn clean(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut length = 0;
    let fits = |c: &char| {
        length += c.len_utf8();
        length <= TEXT_MAX
    };
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take_while(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_text_has_equal_numbers_and_a_number_keeps_its_text() {
        let mut table = NameTable::default();
        let texts = table.texts();
        let shop = table.free(b"shop");
        for i in 0..1000 {
            table.free(format!("h{i}").as_bytes());
        }
        assert_eq!((table.free(b"shop"), table.reserved("shop")), (shop, shop));
        assert_eq!(&*texts.text(shop), "shop");
        assert_eq!((table.free(b""), &*texts.text(Name::NONE)), (Name::NONE, ""));
        let long = table.free(&[b'x'; 300]);
        assert_eq!(texts.text(long).len(), TEXT_MAX);
        let two_lines = table.free(b"a\nb");
        assert_eq!((table.free(b"a\nb"), &*texts.text(two_lines)), (two_lines, "a b"));
        assert_eq!(&*texts.text(table.free(b"\xff")), "\u{fffd}");
    }

    #[test]
    fn hosts_without_end_leave_room_for_providers() {
        let mut table = NameTable::default();
        for i in 0..2 * NAMES_MAX {
            table.free(format!("host-{i}").as_bytes());
        }
        assert_eq!(table.own.len(), FREE_NAMES_MAX);
        assert_eq!(table.free(b"one-more"), Name::OTHER);
        let bank = table.reserved("bank");
        assert_eq!(&*table.texts().text(bank), "bank");
        for i in 0..NAMES_MAX {
            table.reserved(&format!("provider-{i}"));
        }
        assert_eq!((table.own.len(), table.reserved("late")), (NAMES_MAX, Name::OTHER));
    }
}
