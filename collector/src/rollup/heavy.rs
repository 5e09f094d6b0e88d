//! The heaviest of many keys in a fixed room, over the last minute: Space-Saving (Metwally, Agrawal and El Abbadi,
//! "Efficient computation of frequent and top-k elements in data streams", 2005).
//!
//! A key that has more than 1/room of the weight is in it for certain; a count is never too low, and too high
//! by at most what the key found at its place.

/// Two of these make the minute: the present one and the one before.
const GENERATION_S: u64 = 30;

/// Counts of one stretch of time.
#[derive(Debug, Clone)]
struct Table<K> {
    entries: Vec<(K, u64)>,
}

impl<K: Eq> Table<K> {
    fn add(&mut self, key: K, count: u64, room: usize) {
        if let Some((_, own)) = self.entries.iter_mut().find(|(own, _)| *own == key) {
            *own += count;
        } else if self.entries.len() < room {
            self.entries.push((key, count));
        } else if let Some(lightest) = self.entries.iter_mut().min_by_key(|(_, own)| *own) {
            *lightest = (key, lightest.1 + count);
        }
    }

    fn remove(&mut self, key: &K) {
        self.entries.retain(|(own, _)| own != key);
    }
}

#[derive(Debug, Clone)]
pub struct Heaviest<K> {
    room: usize,
    present: Table<K>,
    before: Table<K>,
    generation: u64,
}

impl<K: Clone + Ord> Heaviest<K> {
    pub fn new(room: usize) -> Heaviest<K> {
        let empty = || Table { entries: Vec::new() };
        Heaviest { room, present: empty(), before: empty(), generation: 0 }
    }

    pub fn add(&mut self, key: K, count: u64) {
        self.present.add(key, count, self.room);
    }

    pub fn remove(&mut self, key: &K) {
        self.present.remove(key);
        self.before.remove(key);
    }

    /// Time goes on: what is older than a minute is forgotten.
    pub fn tick(&mut self, now_s: u64) {
        let generation = now_s / GENERATION_S;
        if generation > self.generation {
            let old = std::mem::replace(&mut self.present, Table { entries: Vec::new() });
            // What came before the first tick is of the present.
            let follows = generation == self.generation + 1 || self.generation == 0;
            self.before = if follows { old } else { Table { entries: Vec::new() } };
            self.generation = generation;
        }
    }

    /// At most as many as there is room for, the heaviest first.
    pub fn list(&self) -> Vec<(K, u64)> {
        let mut sum = self.present.clone();
        self.before.entries.iter().for_each(|(key, count)| sum.add(key.clone(), *count, 2 * self.room));
        sum.entries.sort_by(|(a, x), (b, y)| y.cmp(x).then_with(|| a.cmp(b)));
        sum.entries.truncate(self.room);
        sum.entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heavy_ones_are_found_among_any_number() {
        let mut heaviest = Heaviest::new(16);
        for i in 0..100_000u64 {
            heaviest.add(format!("light {i}"), 1);
            if i % 8 == 0 {
                heaviest.add("heavy".to_owned(), 1);
            }
        }
        let list = heaviest.list();
        assert_eq!((list.len(), list[0].0.as_str()), (16, "heavy"));
        assert!(list[0].1 >= 12_500);
    }

    #[test]
    fn counts_are_exact_while_there_is_room_and_of_the_last_minute() {
        let mut heaviest = Heaviest::new(2);
        heaviest.tick(60);
        heaviest.add("a", 3);
        heaviest.tick(90);
        heaviest.add("b", 4);
        heaviest.add("a", 2);
        assert_eq!(heaviest.list(), [("a", 5), ("b", 4)]);
        heaviest.tick(119);
        assert_eq!(heaviest.list(), [("a", 5), ("b", 4)]);
        heaviest.tick(120);
        assert_eq!(heaviest.list(), [("b", 4), ("a", 2)]);
        heaviest.remove(&"b");
        assert_eq!(heaviest.list(), [("a", 2)]);
        heaviest.tick(1000);
        assert!(heaviest.list().is_empty());
    }
}
