//! The heaviest of many keys in a fixed room, over the last minute: Space-Saving (Metwally, Agrawal and El Abbadi,
//! "Efficient computation of frequent and top-k elements in data streams", 2005).
//!
//! A key that has more than 1/room of the weight is in it for certain. What a key found at its place when it came
//! is known, so a count that is told is one that it surely has.

/// Two of these make the minute: the present one and the one before.
const GENERATION_S: u64 = 30;

/// Counts of one stretch of time.
#[derive(Debug, Clone)]
struct Table<K> {
    entries: Vec<Entry<K>>,
}

#[derive(Debug, Clone)]
struct Entry<K> {
    key: K,
    count: u64,
    /// Of the count, what may be of the keys that had the place before.
    found: u64,
}

impl<K: Eq> Table<K> {
    fn add(&mut self, key: K, count: u64, room: usize) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.key == key) {
            entry.count += count;
        } else if self.entries.len() < room {
            self.entries.push(Entry { key, count, found: 0 });
        } else if let Some(lightest) = self.entries.iter_mut().min_by_key(|entry| entry.count) {
            *lightest = Entry { key, count: lightest.count + count, found: lightest.count };
        }
    }

    fn remove(&mut self, key: &K) {
        self.entries.retain(|entry| entry.key != *key);
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

    /// At most as many as there is room for, the heaviest first, with what each surely has.
    pub fn list(&self) -> Vec<(K, u64)> {
        let mut sum: Vec<(K, u64)> = Vec::new();
        for entry in self.present.entries.iter().chain(&self.before.entries) {
            let count = entry.count - entry.found;
            match sum.iter_mut().find(|(key, _)| *key == entry.key) {
                Some((_, own)) => *own += count,
                None => sum.push((entry.key.clone(), count)),
            }
        }
        sum.sort_by(|(a, x), (b, y)| y.cmp(x).then_with(|| a.cmp(b)));
        sum.truncate(self.room);
        sum
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
        assert!((12_000..=12_500).contains(&list[0].1), "{}", list[0].1);
        assert!(list[1..].iter().all(|(_, count)| *count == 1), "the light ones are not taken for heavy");
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
