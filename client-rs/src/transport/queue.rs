//! Finished spans on their way to the drain thread: bounded in bytes, and never a reason to wait.
//!
//! Each thread writes into the open block of its shard; full blocks go to one list. Locks are only ever
//! tried on the caller's side: who finds all shards taken drops the span and counts it. While the queue is filling
//! up, failures get blocks of their own, and when it is full such a block takes the place of another.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, TryLockError};

use super::packet::Block;
use crate::clock::Tick;
use crate::recorder::Reason;

/// More than the cores that trace at the same moment, on most machines; a power of two.
const SHARDS: usize = 16;
/// Empty blocks that are kept for reuse: 2 MiB.
const SPARE_MAX: usize = 32;

#[derive(Debug)]
pub(crate) struct Queue {
    shards: [Mutex<Shard>; SHARDS],
    full: Mutex<VecDeque<Block>>,
    spare: Mutex<Vec<Block>>,
    /// Bytes of blocks that are full and not yet sent, the drain thread's included.
    waiting_bytes: AtomicUsize,
    waiting_bytes_max: usize,
    block_bytes_max: usize,
    closed: AtomicBool,
}

/// On its own cache line, so that threads do not slow each other.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Shard {
    open: Block,
    /// Failures, while the queue is filling up.
    precious: Block,
    accepted: u64,
}

/// What the caller of [`Queue::push`] has to do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    Quietly,
    /// A block is full: wake the drain thread. So many spans gave way to it.
    BlockIsFull {
        displaced: u64,
    },
}

impl Queue {
    pub(crate) fn new(waiting_bytes_max: usize, block_bytes_max: usize) -> Queue {
        Queue {
            shards: Default::default(),
            full: Mutex::default(),
            spare: Mutex::default(),
            waiting_bytes: AtomicUsize::new(0),
            waiting_bytes_max,
            block_bytes_max,
            closed: AtomicBool::new(false),
        }
    }

    /// Takes a span that fits a block.
    pub(crate) fn push(&self, span: &[u8], is_precious: bool, now: Tick) -> Result<Pushed, Reason> {
        let mut shard = self.shard().ok_or(Reason::QueueFull)?;
        // Under the lock: what gets in is in before the last `take`, which locks each shard after `close`.
        if self.closed.load(Relaxed) {
            return Err(Reason::Closed);
        }
        let waiting_bytes = self.waiting_bytes.load(Relaxed);
        let shard = &mut *shard;
        let is_precious = is_precious && waiting_bytes > self.waiting_bytes_max / 2;
        let block = if is_precious { &mut shard.precious } else { &mut shard.open };
        let mut pushed = Pushed::Quietly;
        if !block.has_room(span.len(), self.block_bytes_max) {
            let Some(mut full) = try_lock(&self.full) else { return Err(Reason::QueueFull) };
            let mut displaced = 0;
            if waiting_bytes + block.bytes.len() > self.waiting_bytes_max {
                displaced = self.displace(&mut full, is_precious).ok_or(Reason::QueueFull)?;
            }
            full.push_back(self.seal(block));
            pushed = Pushed::BlockIsFull { displaced };
        }
        block.precious = is_precious;
        block.push(span, now);
        shard.accepted += 1;
        Ok(pushed)
    }

    /// Makes place for failures: drops the youngest block without them, and says how many spans that were. `None`
    /// where nothing gives way.
    fn displace(&self, full: &mut VecDeque<Block>, for_precious: bool) -> Option<u64> {
        let at = full.iter().rposition(|block| !block.precious).filter(|_| for_precious)?;
        let block = full.remove(at)?;
        self.waiting_bytes.fetch_sub(block.bytes.len(), Relaxed);
        Some(block.spans)
    }

    /// Refuses spans from now on.
    pub(crate) fn close(&self) {
        self.closed.store(true, Relaxed);
    }

    /// Closes the open blocks, so that [`take`](Queue::take) finds them.
    pub(crate) fn sweep(&self) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            let shard = &mut *shard;
            for block in [&mut shard.open, &mut shard.precious] {
                if block.spans > 0 {
                    let block = self.seal(block);
                    lock(&self.full).push_back(block);
                }
            }
        }
    }

    /// The oldest full block.
    pub(crate) fn take(&self) -> Option<Block> {
        lock(&self.full).pop_front()
    }

    /// The drain thread is done with a block.
    pub(crate) fn done(&self, mut block: Block) {
        self.waiting_bytes.fetch_sub(block.bytes.len(), Relaxed);
        block.clear();
        let mut spare = lock(&self.spare);
        if spare.len() < SPARE_MAX {
            spare.push(block);
        }
    }

    /// Spans that were taken so far.
    pub(crate) fn accepted(&self) -> u64 {
        self.shards.iter().map(|shard| lock(shard).accepted).sum()
    }

    fn seal(&self, open: &mut Block) -> Block {
        let fresh = try_lock(&self.spare).and_then(|mut spare| spare.pop()).unwrap_or_default();
        let block = std::mem::replace(open, fresh);
        self.waiting_bytes.fetch_add(block.bytes.len(), Relaxed);
        block
    }

    /// This thread's shard, or the next one that is free.
    fn shard(&self) -> Option<MutexGuard<'_, Shard>> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        thread_local! {
            static HOME: usize = NEXT.fetch_add(1, Relaxed) as usize;
        }
        let home = HOME.try_with(|home| *home).unwrap_or(0);
        (0..SHARDS).find_map(|step| try_lock(&self.shards[(home + step) % SHARDS]))
    }
}

/// A panic cannot leave a block half written that a later span would suffer from, so poison is ignored.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(queue: &Queue) -> Vec<Block> {
        queue.sweep();
        std::iter::from_fn(|| queue.take()).collect()
    }

    #[test]
    fn what_is_pushed_comes_out_once_in_blocks_of_at_most_a_packet() {
        let queue = Queue::new(1 << 20, 1000);
        let threads = 8;
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    for _ in 0..100 {
                        // All shards may be busy for an instant; the client counts that, a test tries again.
                        while queue.push(&[7; 96], false, Tick::now()).is_err() {}
                    }
                });
            }
        });
        assert_eq!(queue.accepted(), 100 * threads);
        let blocks = drain(&queue);
        assert_eq!(blocks.iter().map(|block| block.spans).sum::<u64>(), 100 * threads);
        assert!(blocks.iter().all(|block| block.bytes.len() <= 1000));
        assert!(drain(&queue).is_empty());
    }

    #[test]
    fn a_full_queue_refuses_and_takes_again_when_it_was_drained() {
        let queue = Queue::new(2500, 1000);
        let push = || queue.push(&[7; 800], false, Tick::now());
        assert_eq!(push(), Ok(Pushed::Quietly));
        assert_eq!(push(), Ok(Pushed::BlockIsFull { displaced: 0 }));
        while push() != Err(Reason::QueueFull) {}
        let blocks = drain(&queue);
        assert!(blocks.iter().map(|block| block.bytes.len()).sum::<usize>() <= 2500 + 1000);
        assert_eq!(push(), Ok(Pushed::Quietly), "an open block is empty again");
        assert_eq!(push(), Err(Reason::QueueFull), "the drain thread still holds the others");
        blocks.into_iter().for_each(|block| queue.done(block));
        assert_eq!(push(), Ok(Pushed::BlockIsFull { displaced: 0 }));
    }

    #[test]
    fn in_a_full_queue_failures_take_the_place_of_others() {
        let queue = Queue::new(3000, 1000);
        let push = |byte: u8| queue.push(&[byte; 450], byte == b'!', Tick::now());
        let mut taken = 0;
        while push(b'.').is_ok() {
            taken += 1;
        }
        let (mut failures, mut displaced) = (0, 0);
        while let Ok(pushed) = push(b'!') {
            failures += 1;
            if let Pushed::BlockIsFull { displaced: spans } = pushed {
                displaced += spans;
            }
        }
        assert!(failures >= 6, "{failures} failures found a place");
        let blocks = drain(&queue);
        let spans_of = |byte: u8| {
            blocks.iter().filter(|block| block.bytes.contains(&byte)).map(|block| block.spans).sum::<u64>()
        };
        assert_eq!((spans_of(b'!'), spans_of(b'.')), (failures, taken - displaced));
        assert!(blocks.iter().map(|block| block.bytes.len()).sum::<usize>() <= 3000 + 2 * 1000);
    }

    #[test]
    fn a_thread_that_finds_its_shard_taken_uses_another() {
        let queue = Queue::new(1 << 20, 1000);
        let taken: Vec<_> = queue.shards.iter().skip(1).map(lock).collect();
        assert_eq!(queue.push(b"span", false, Tick::now()), Ok(Pushed::Quietly));
        drop(taken);
        let all: Vec<_> = queue.shards.iter().map(lock).collect();
        assert_eq!(queue.push(b"span", false, Tick::now()), Err(Reason::QueueFull));
        drop(all);
    }
}
