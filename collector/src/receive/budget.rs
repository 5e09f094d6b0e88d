//! Bytes in flight, bounded over the whole process: what is received and not yet in the journal.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The bound. Cheap to clone; clones share it.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    taken: AtomicUsize,
    limit: usize,
}

/// The budget is spent; the sender should come back later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent;

/// Bytes held of a budget, given back on drop.
#[derive(Debug)]
pub struct Lease {
    budget: Budget,
    bytes: usize,
}

impl Budget {
    pub fn new(limit: usize) -> Budget {
        Budget(Arc::new(Shared { taken: AtomicUsize::new(0), limit }))
    }

    /// A lease of nothing yet.
    pub fn lease(&self) -> Lease {
        Lease { budget: self.clone(), bytes: 0 }
    }
}

impl Lease {
    /// Takes `bytes` more.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Spent> {
        let Shared { taken, limit } = &*self.budget.0;
        let before = taken.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > *limit {
            taken.fetch_sub(bytes, Ordering::Relaxed);
            return Err(Spent);
        }
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.budget.0.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_lease_held_is_there_again_after_it() {
        let budget = Budget::new(100);
        let mut first = budget.lease();
        assert_eq!(first.grow(60), Ok(()));
        assert_eq!(first.grow(41), Err(Spent));
        let mut second = budget.lease();
        assert_eq!(second.grow(40), Ok(()));
        assert_eq!(second.grow(1), Err(Spent));
        drop(first);
        assert_eq!(second.grow(60), Ok(()));
    }
}
