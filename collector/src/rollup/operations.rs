//! The operations of one provider: a bounded list, the rest is `_other`.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::name::Operation;
use super::names::NameTable;
use super::observed::Name;

/// Where operations beyond the limit are counted.
const OTHER: &str = "_other";

#[derive(Debug)]
pub struct Operations {
    list: Vec<Entry>,
    by_label: HashTable<u16>,
    hasher: RandomState,
    /// The bytes of the label looked up; kept for its room.
    scratch: Vec<u8>,
    /// Beside `_other`.
    max: usize,
    /// The operator's choice of those that count for conversion; empty = those with an explicit outcome.
    conversion: Vec<String>,
}

#[derive(Debug)]
struct Entry {
    label: String,
    name: Name,
    converts: bool,
}

impl Operations {
    pub fn new(max: usize, conversion: Vec<String>) -> Operations {
        Operations {
            list: Vec::new(),
            by_label: HashTable::new(),
            hasher: RandomState::default(),
            scratch: Vec::new(),
            max,
            conversion,
        }
    }

    /// The number of `operation`; a new one gets the next as long as there is room.
    #[inline]
    pub fn number(&mut self, operation: &Operation<'_>, names: &mut NameTable) -> usize {
        self.scratch.clear();
        self.scratch.extend_from_slice(operation.first);
        if !operation.second.is_empty() {
            self.scratch.push(b' ');
            self.scratch.extend_from_slice(operation.second);
        }
        // What is wrong with a label is put right only when it is not found as it stands.
        self.find(&self.scratch).unwrap_or_else(|| self.number_of_new(operation.label(), names))
    }

    #[inline]
    fn find(&self, label: &[u8]) -> Option<usize> {
        let hash = self.hasher.hash_one(label);
        // An empty text lies nowhere, and to compare what lies nowhere takes some processors long.
        let same = |&at: &u16| {
            let own = self.list[usize::from(at)].label.as_bytes();
            own.len() == label.len() && (label.is_empty() || own == label)
        };
        self.by_label.find(hash, same).map(|&at| usize::from(at))
    }

    fn number_of_new(&mut self, label: String, names: &mut NameTable) -> usize {
        let label = if self.list.len() < self.max { label } else { OTHER.to_owned() };
        self.find(label.as_bytes()).unwrap_or_else(|| self.insert(label, names))
    }

    fn insert(&mut self, label: String, names: &mut NameTable) -> usize {
        let number = self.list.len();
        let Operations { list, by_label, hasher, conversion, .. } = self;
        let hash = hasher.hash_one(label.as_bytes());
        list.push(Entry { converts: conversion.contains(&label), name: names.reserved(&label), label });
        let rehash = |&at: &u16| hasher.hash_one(list[usize::from(at)].label.as_bytes());
        by_label.insert_unique(hash, number as u16, rehash);
        number
    }

    /// Whether a call of this operation counts for conversion. One whose span says how the business went makes
    /// its operation count from then on, unless the operator has chosen.
    #[inline]
    pub fn converts(&mut self, number: usize, says_outcome: bool) -> bool {
        let entry = &mut self.list[number];
        entry.converts |= says_outcome && self.conversion.is_empty();
        entry.converts
    }

    /// The operator has chosen anew what counts for conversion.
    pub fn convert(&mut self, conversion: Vec<String>) {
        if self.conversion != conversion {
            self.conversion = conversion;
            self.list.iter_mut().for_each(|entry| entry.converts = self.conversion.contains(&entry.label));
        }
    }

    pub fn label(&self, number: usize) -> Name {
        self.list[number].name
    }

    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.list.iter().map(|entry| entry.label.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(operations: &mut Operations, first: &str, second: &str) -> usize {
        let operation = Operation { first: first.as_bytes(), second: second.as_bytes() };
        operations.number(&operation, &mut NameTable::default())
    }

    #[test]
    fn beyond_the_limit_all_are_other() {
        let mut operations = Operations::new(2, Vec::new());
        assert_eq!(number(&mut operations, "GET", "/a"), 0);
        assert_eq!(number(&mut operations, "GET", "/b"), 1);
        assert_eq!(number(&mut operations, "GET", "/c"), 2);
        assert_eq!(number(&mut operations, "GET", "/d"), 2);
        assert_eq!(number(&mut operations, "GET", "/a"), 0);
        assert_eq!(operations.labels().collect::<Vec<_>>(), ["GET /a", "GET /b", "_other"]);
    }

    #[test]
    fn no_two_operations_have_one_label() {
        let mut operations = Operations::new(9, Vec::new());
        let one = number(&mut operations, "GET", "/a");
        assert_eq!(number(&mut operations, "GET /a", ""), one);
        let long = "x".repeat(500);
        let cut = number(&mut operations, &long, "");
        assert_eq!(number(&mut operations, &long[..400], ""), cut);
        assert_eq!(number(&mut operations, "a\nb", ""), number(&mut operations, "a\tb", ""));
        let labels: Vec<&str> = operations.labels().collect();
        assert_eq!(labels, ["GET /a", &"x".repeat(128), "a b"]);
    }

    #[test]
    fn conversion_is_over_the_chosen_operations_or_those_that_say_an_outcome() {
        let mut by_use = Operations::new(9, Vec::new());
        let (pay, ping) = (number(&mut by_use, "pay", ""), number(&mut by_use, "ping", ""));
        assert!(!by_use.converts(pay, false));
        assert!(by_use.converts(pay, true));
        assert!(by_use.converts(pay, false));
        assert!(!by_use.converts(ping, false));

        let mut chosen = Operations::new(9, vec!["pay".to_owned()]);
        let (pay, ping) = (number(&mut chosen, "pay", ""), number(&mut chosen, "ping", ""));
        assert!(chosen.converts(pay, false));
        assert!(!chosen.converts(ping, true));
    }
}
