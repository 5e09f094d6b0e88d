//! What is known of each second, or of each stretch of seconds, ascending. Those without a call have no slot, so
//! a quiet provider takes no room.

use std::collections::VecDeque;

#[derive(Debug)]
pub struct Slots<T>(VecDeque<(u64, T)>);

impl<T> Default for Slots<T> {
    fn default() -> Slots<T> {
        Slots(VecDeque::new())
    }
}

impl<T: Default> Slots<T> {
    /// The slot of `second`; mostly it is the newest.
    #[inline]
    pub fn at(&mut self, second: u64) -> &mut T {
        let at = match self.0.back() {
            Some((last, _)) if *last == second => self.0.len() - 1,
            _ => self.find_or_insert(second),
        };
        &mut self.0[at].1
    }

    fn find_or_insert(&mut self, second: u64) -> usize {
        let at = self.0.partition_point(|(own, _)| *own < second);
        if self.0.get(at).is_none_or(|(own, _)| *own != second) {
            self.0.insert(at, (second, T::default()));
        }
        at
    }
}

impl<T: Default> Slots<T> {
    /// Joins the slots before `before` to slots of `step` seconds, which divides it.
    pub fn coarsen(&mut self, before: u64, step: u64, join: impl Fn(&mut T, T)) {
        let mut count = self.0.partition_point(|(second, _)| *second < before);
        if self.0.range(..count).all(|(second, _)| second.is_multiple_of(step)) {
            return;
        }
        let mut coarse: Vec<(u64, T)> = Vec::new();
        while count > 0
            && let Some((second, slot)) = self.0.pop_front()
        {
            count -= 1;
            let begin = second / step * step;
            match coarse.last_mut() {
                Some((last, sum)) if *last == begin => join(sum, slot),
                _ => coarse.push((begin, slot)),
            }
        }
        coarse.into_iter().rev().for_each(|slot| self.0.push_front(slot));
    }
}

impl<T> Slots<T> {
    pub fn into_inner(self) -> impl Iterator<Item = (u64, T)> {
        self.0.into_iter()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn find(&mut self, second: u64) -> Option<&mut T> {
        let at = self.0.binary_search_by_key(&second, |(own, _)| *own).ok()?;
        Some(&mut self.0[at].1)
    }

    /// Drops the slots before `floor_s`.
    pub fn forget(&mut self, floor_s: u64) {
        while self.0.front().is_some_and(|(second, _)| *second < floor_s) {
            self.0.pop_front();
        }
    }

    /// The slots of `from..to`.
    pub fn between(&self, from: u64, to: u64) -> impl DoubleEndedIterator<Item = (u64, &T)> {
        let first = self.0.partition_point(|(second, _)| *second < from);
        let end = self.0.partition_point(|(second, _)| *second < to);
        self.0.range(first..end.max(first)).map(|(second, slot)| (*second, slot))
    }

    pub fn between_mut(&mut self, from: u64, to: u64) -> impl Iterator<Item = (u64, &mut T)> {
        let first = self.0.partition_point(|(second, _)| *second < from);
        let end = self.0.partition_point(|(second, _)| *second < to);
        self.0.range_mut(first..end.max(first)).map(|(second, slot)| (*second, slot))
    }
}
