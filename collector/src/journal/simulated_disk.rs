//! A disk in memory that fails on request and forgets on a power cut what was never synced.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex};

use super::disk::{Disk, File};

/// A small generator, so that a seed is enough to see a run again (SplitMix64).
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// What fails at present.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    pub full: bool,
    pub write: bool,
    pub sync: bool,
    pub truncate: bool,
}

#[derive(Debug, Default)]
pub struct SimulatedDisk {
    state: Mutex<State>,
    faults: Arc<Mutex<Faults>>,
}

type Files = BTreeMap<String, Arc<SimulatedFile>>;

#[derive(Debug, Default)]
struct State {
    now: Files,
    /// The directory as a power cut would leave it.
    durable: Files,
}

#[derive(Debug)]
struct SimulatedFile {
    faults: Arc<Mutex<Faults>>,
    data: Mutex<Data>,
}

#[derive(Debug, Default, Clone)]
struct Data {
    now: Vec<u8>,
    durable: Vec<u8>,
}

const PAGE: usize = 512;

impl SimulatedDisk {
    pub fn set_faults(&self, faults: Faults) {
        *self.faults.lock().unwrap() = faults;
    }

    /// What was not synced is there, or is not, page by page.
    pub fn power_cut(&self, random: &mut Random) {
        let mut state = self.state.lock().unwrap();
        // Nothing orders what was created, renamed and removed since the directory was synced.
        let names: Vec<String> = state.now.keys().chain(state.durable.keys()).cloned().collect();
        for name in names {
            if random.one_in(2) {
                match state.durable.get(&name).cloned() {
                    Some(file) => drop(state.now.insert(name, file)),
                    None => drop(state.now.remove(&name)),
                }
            }
        }
        for file in state.now.values() {
            let mut data = file.data.lock().unwrap();
            let Data { now, durable } = data.clone();
            let length = match random.below(3) {
                0 => durable.len(),
                1 => now.len(),
                _ => now.len().min(durable.len()) + random.below(now.len().abs_diff(durable.len()) + 1),
            };
            let mut left = vec![0; length];
            for (i, page) in left.chunks_mut(PAGE).enumerate() {
                let source = if random.one_in(2) { &now } else { &durable };
                let held = source.get(i * PAGE..).unwrap_or_default();
                let held = &held[..held.len().min(page.len())];
                page[..held.len()].copy_from_slice(held);
                // Where both agree the page is safe; a synced page always is.
                let synced = durable.get(i * PAGE..).unwrap_or_default();
                let same = synced.iter().zip(now.get(i * PAGE..).unwrap_or_default()).take(page.len());
                same.zip(&mut *page).for_each(|((a, b), byte)| *byte = if a == b { *a } else { *byte });
            }
            *data = Data { now: left.clone(), durable: left };
        }
        state.durable = state.now.clone();
    }

    /// Flips a bit of a file for good, and says of which file and where.
    pub fn flip_bit(&self, random: &mut Random) -> Option<(String, usize)> {
        let state = self.state.lock().unwrap();
        let (name, file) = state.now.iter().nth(random.below(state.now.len()))?;
        let mut data = file.data.lock().unwrap();
        let at = random.below(data.now.len());
        let bit = 1 << random.below(8);
        *data.now.get_mut(at)? ^= bit;
        if let Some(byte) = data.durable.get_mut(at) {
            *byte ^= bit;
        }
        Some((name.clone(), at))
    }
}

fn missing() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Disk for SimulatedDisk {
    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.state.lock().unwrap().now.keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        if self.faults.lock().unwrap().full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let file = Arc::new(SimulatedFile { faults: Arc::clone(&self.faults), data: Mutex::default() });
        self.state.lock().unwrap().now.insert(name.to_owned(), Arc::clone(&file));
        Ok(file)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let file = self.state.lock().unwrap().now.get(name).cloned();
        Ok(file.ok_or_else(missing)?)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.state.lock().unwrap().now.remove(name).map(drop).ok_or_else(missing)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        let file = state.now.remove(from).ok_or_else(missing)?;
        state.now.insert(to.to_owned(), file);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        if self.faults.lock().unwrap().sync {
            return Err(io::Error::other("injected: sync of the directory"));
        }
        let mut state = self.state.lock().unwrap();
        state.durable = state.now.clone();
        Ok(())
    }
}

impl File for SimulatedFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.data.lock().unwrap().now.len() as u64)
    }

    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        let data = self.data.lock().unwrap();
        let held = data.now.get(at as usize..).unwrap_or_default();
        let length = held.len().min(into.len());
        into[..length].copy_from_slice(&held[..length]);
        Ok(length)
    }

    /// A failing write has written half of what it was given.
    fn write_at(&self, parts: &[IoSlice<'_>], at: u64) -> io::Result<usize> {
        let faults = *self.faults.lock().unwrap();
        let mut bytes: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        if faults.full || faults.write {
            bytes.truncate(bytes.len() / 2);
        }
        let mut data = self.data.lock().unwrap();
        let end = at as usize + bytes.len();
        if data.now.len() < end {
            data.now.resize(end, 0);
        }
        data.now[at as usize..end].copy_from_slice(&bytes);
        match faults {
            Faults { full: true, .. } => Err(io::ErrorKind::StorageFull.into()),
            Faults { write: true, .. } => Err(io::Error::other("injected: write")),
            _ => Ok(bytes.len()),
        }
    }

    fn sync(&self) -> io::Result<()> {
        if self.faults.lock().unwrap().sync {
            return Err(io::Error::other("injected: sync"));
        }
        let mut data = self.data.lock().unwrap();
        data.durable = data.now.clone();
        Ok(())
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        if self.faults.lock().unwrap().truncate {
            return Err(io::Error::other("injected: truncate"));
        }
        self.data.lock().unwrap().now.truncate(size as usize);
        Ok(())
    }

    fn reserve(&self, _size: u64) -> io::Result<()> {
        if self.faults.lock().unwrap().full { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}
