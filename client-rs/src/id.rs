//! Trace and span ids, from a generator per thread that the operating system seeds.
//!
//! The time is mixed into each draw: a forked child inherits the generator's state, and would otherwise
//! repeat the ids of its parent.

use std::cell::Cell;
use std::fmt;

/// Identifies a trace: 16 bytes, never all zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId(pub [u8; 16]);

/// Identifies a span inside its trace: 8 bytes, never all zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanId(pub [u8; 8]);

thread_local! {
    static STATE: Cell<[u64; 2]> = Cell::new(seed());
}

impl TraceId {
    pub(crate) fn fresh(now_ns: u64) -> TraceId {
        let [high, low] = draw(now_ns);
        let mut id = [0; 16];
        id[..8].copy_from_slice(&high.to_be_bytes());
        id[8..].copy_from_slice(&low.max(1).to_be_bytes());
        TraceId(id)
    }
}

impl SpanId {
    pub(crate) fn fresh(now_ns: u64) -> SpanId {
        SpanId(draw(now_ns)[0].max(1).to_be_bytes())
    }
}

/// A number for jitter; as good as an id.
pub(crate) fn random(now_ns: u64) -> u64 {
    draw(now_ns)[1]
}

fn draw(now_ns: u64) -> [u64; 2] {
    // Two Weyl sequences with odd steps (2^64 over the golden and the silver ratio), each scrambled.
    let next =
        |[a, b]: [u64; 2]| [a.wrapping_add(0x9e37_79b9_7f4a_7c15), b.wrapping_add(0x6a09_e667_f3bc_c909)];
    let state = STATE.try_with(|cell| {
        cell.set(next(cell.get()));
        cell.get()
    });
    // While a thread ends its storage may be gone: a new seed then, dearer and as good.
    let [a, b] = state.unwrap_or_else(|_| seed());
    [scramble(a ^ scramble(now_ns)), scramble(b ^ now_ns)]
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014).
fn scramble(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn seed() -> [u64; 2] {
    let mut bytes = [0u8; 16];
    // Before the kernel's pool is ready, or where a sandbox forbids the call: the standard library's hash keys.
    if rustix::rand::getrandom(&mut bytes[..], rustix::rand::GetRandomFlags::NONBLOCK) != Ok(16) {
        use std::hash::BuildHasher;
        for half in bytes.chunks_exact_mut(8) {
            let random = std::collections::hash_map::RandomState::new().hash_one(crate::clock::wall_ns());
            half.copy_from_slice(&random.to_ne_bytes());
        }
    }
    let word = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().expect("eight of sixteen bytes"));
    [word(0), word(8)]
}

fn hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_do_not_repeat_within_or_across_threads() {
        let draw_many = || (0..10_000).map(|_| (TraceId::fresh(7), SpanId::fresh(7))).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(draw_many)).collect();
        let drawn: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(drawn.iter().map(|ids| ids.0).collect::<HashSet<_>>().len(), 40_000);
        assert_eq!(drawn.iter().map(|ids| ids.1).collect::<HashSet<_>>().len(), 40_000);
    }

    #[test]
    fn a_forked_copy_of_the_generator_draws_other_ids() {
        let inherited = STATE.get();
        let parent = (TraceId::fresh(1_000), SpanId::fresh(1_000));
        STATE.set(inherited);
        let child = (TraceId::fresh(1_001), SpanId::fresh(1_001));
        assert_ne!(parent.0, child.0);
        assert_ne!(parent.1, child.1);
    }

    #[test]
    fn ids_print_as_lower_case_hex() {
        assert_eq!(SpanId([0, 0xab, 1, 2, 3, 4, 5, 0xff]).to_string(), "00ab0102030405ff");
    }
}
