//! The open-call page of this process: what is open shows to the daemon at once, without a system call.
//!
//! The daemon reads the page and never writes it; which slots are free is known here only, in memory of our own.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};

use spanmill_proto::open_calls::{OpenCall, Page, page_bytes};
use spanmill_proto::shared::Shared;

/// Slots that one word keeps account of.
const WORD_SLOTS: usize = 64;

/// A page and its free slots.
#[derive(Debug)]
pub(crate) struct OpenCalls {
    memory: Shared,
    descriptor: OwnedFd,
    /// A bit for each slot, set while it is taken.
    taken: Box<[AtomicU64]>,
}

/// A slot that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot(u16);

impl OpenCalls {
    /// A page of this process: after a fork the child needs its own.
    pub(crate) fn new(slots: usize) -> io::Result<OpenCalls> {
        let (memory, descriptor) = Shared::sealed("spanmill-open-calls", page_bytes(slots))?;
        Page::format(memory.words(), std::process::id());
        let taken = (0..slots / WORD_SLOTS).map(|_| AtomicU64::new(0)).collect();
        Ok(OpenCalls { memory, descriptor, taken })
    }

    /// Shows a call; `None` when all slots are taken, which is counted on the page.
    pub(crate) fn open(&self, call: &OpenCall<'_>) -> Option<Slot> {
        let page = Page::resume(self.memory.words());
        let Some(slot) = take(&self.taken) else {
            page.count_overflow();
            return None;
        };
        page.raise_high_water(slot + 1);
        page.open(slot, call);
        Some(Slot(slot as u16))
    }

    /// The call has ended; `slot` is one that this page gave out, once.
    pub(crate) fn close(&self, Slot(slot): Slot) {
        let slot = usize::from(slot);
        Page::resume(self.memory.words()).close(slot);
        give_back(&self.taken, slot);
    }

    /// How many slots the page has.
    pub(crate) fn slots(&self) -> usize {
        self.taken.len() * WORD_SLOTS
    }

    /// Calls that found no slot.
    pub(crate) fn overflows(&self) -> u64 {
        Page::resume(self.memory.words()).overflows()
    }

    /// Shows what is open to `look`: slot, generation and call.
    #[cfg(feature = "otlp")]
    pub(crate) fn read<R>(
        &self,
        look: impl FnOnce(&mut dyn Iterator<Item = (usize, u64, OpenCall<'_>)>) -> R,
    ) -> R {
        let copy = || -> Vec<u8> {
            let used = page_bytes(Page::resume(self.memory.words()).high_water().min(self.slots()));
            self.memory.words()[..used / 8].iter().flat_map(|word| word.load(Relaxed).to_le_bytes()).collect()
        };
        let first = copy();
        std::sync::atomic::fence(Acquire);
        let second = copy();
        let snapshot =
            spanmill_proto::open_calls::read(&first, &second).expect("the page is one that we made");
        look(&mut snapshot.open_calls())
    }

    /// What the daemon gets to see the page by.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// A free bit, now set; each thread begins at a word of its own.
fn take(taken: &[AtomicU64]) -> Option<usize> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static HOME: usize = NEXT.fetch_add(1, Relaxed);
    }
    let home = HOME.try_with(|home| *home).unwrap_or(0);
    (0..taken.len()).find_map(|step| {
        let number = home.wrapping_add(step) % taken.len();
        let word = &taken[number];
        let mut bits = word.load(Relaxed);
        while bits != u64::MAX {
            let bit = bits.trailing_ones();
            // Acquire: what the last owner of the slot stored there is over.
            bits = word.fetch_or(1 << bit, Acquire);
            if bits & 1 << bit == 0 {
                return Some(number * WORD_SLOTS + bit as usize);
            }
        }
        None
    })
}

fn give_back(taken: &[AtomicU64], slot: usize) {
    taken[slot / WORD_SLOTS].fetch_and(!(1 << (slot % WORD_SLOTS)), Release);
}

#[cfg(test)]
mod tests {
    use super::*;
    use spanmill_proto::open_calls::{Target, read};

    fn call(operation: &str) -> OpenCall<'_> {
        OpenCall {
            trace_id: [1; 16],
            span_id: [2; 8],
            start_unix_ns: 3,
            target: Target::Provider("acme-bank"),
            operation,
            is_attempt: false,
        }
    }

    fn operations(calls: &OpenCalls) -> Vec<String> {
        let mut copy = vec![0; page_bytes(calls.slots())];
        rustix::io::pread(calls.descriptor(), &mut copy, 0).unwrap();
        let mut operations: Vec<_> =
            read(&copy, &copy).unwrap().open_calls().map(|(_, _, call)| call.operation.to_string()).collect();
        operations.sort();
        operations
    }

    #[test]
    fn the_daemon_sees_what_is_open_and_nothing_else() {
        let calls = OpenCalls::new(64).unwrap();
        let (one, two) = (calls.open(&call("one")).unwrap(), calls.open(&call("two")).unwrap());
        assert_eq!(operations(&calls), ["one", "two"]);
        calls.close(one);
        assert_eq!(operations(&calls), ["two"]);
        calls.close(two);
        assert!(operations(&calls).is_empty());
    }

    #[test]
    fn a_call_without_a_free_slot_is_counted() {
        let calls = OpenCalls::new(64).unwrap();
        let slots: Vec<_> = (0..64).map(|_| calls.open(&call("open")).unwrap()).collect();
        assert_eq!(calls.open(&call("one more")), None);
        assert_eq!(calls.overflows(), 1);
        calls.close(slots[17]);
        assert_eq!(calls.open(&call("again")), Some(slots[17]));
        assert_eq!(operations(&calls).len(), 64);
    }

    #[test]
    fn no_slot_is_given_to_two_threads() {
        let taken: Vec<_> = (0..4).map(|_| AtomicU64::new(0)).collect();
        let owners: Vec<_> = (0..256).map(|_| AtomicU64::new(0)).collect();
        let rounds = if cfg!(miri) { 20 } else { 20_000 };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..rounds {
                        let slot = take(&taken).unwrap();
                        assert_eq!(owners[slot].swap(1, Relaxed), 0);
                        owners[slot].store(0, Relaxed);
                        give_back(&taken, slot);
                    }
                });
            }
        });
        assert!(taken.iter().all(|word| word.load(Relaxed) == 0));
    }
}
