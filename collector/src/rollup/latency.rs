//! Durations in the bucket layout of HdrHistogram: two significant digits from 10 µs to 1 h, at most 1 % apart.
//!
//! The layout is that of `Histogram::new_with_bounds(100, 3_600_000_000_000, 2)` over nanoseconds, so a
//! histogram of ours is written in HDR's own format by copying counts. Merging is adding: exact, in any order.

/// Longest duration that has a bucket of its own; longer ones count here.
pub const DURATION_MAX_NS: u64 = 3_600_000_000_000;
/// Buckets of the layout.
pub const BUCKETS: usize = 3840;

/// Narrowest bucket, 64 ns: the largest power of two below the 100 ns that keep 10 µs within 1 %.
const UNIT_BITS: u32 = 6;
/// 256 steps per octave, of which the upper 128 are used: the least that tells 200 values apart.
const STEP_BITS: u32 = 8;
const HALF: u32 = 1 << (STEP_BITS - 1);

/// Values recorded before they are sorted into the compact form: 16 KiB, one busy second of one provider.
const PENDING_MAX: usize = 4096;
/// A value that waits to be sorted in is one number, which sorts by bucket: bucket and count.
const COUNT_BITS: u32 = 20;
const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;
const _: () = assert!(BUCKETS <= 1 << (32 - COUNT_BITS));

/// The bucket of a duration.
#[inline]
pub fn bucket(duration_ns: u64) -> u16 {
    let ns = duration_ns.min(DURATION_MAX_NS);
    let floor = (1u64 << (UNIT_BITS + STEP_BITS)) - 1;
    let octave = (64 - UNIT_BITS - STEP_BITS) - (ns | floor).leading_zeros();
    let step = (ns >> (octave + UNIT_BITS)) as u32;
    (octave * HALF + step) as u16
}

/// The middle of a bucket: what a value in it is taken for, at most 0.4 % off.
pub fn middle_ns(bucket: u16) -> u64 {
    low_ns(bucket) + (1 << (octave(bucket) + UNIT_BITS - 1))
}

/// The shortest duration of a bucket.
pub fn low_ns(bucket: u16) -> u64 {
    let octave = octave(bucket);
    u64::from(u32::from(bucket) - octave * HALF) << (octave + UNIT_BITS)
}

fn octave(bucket: u16) -> u32 {
    (u32::from(bucket) / HALF).saturating_sub(1)
}

/// A histogram at rest: a few bytes for each bucket in use.
///
/// Adding is a push; [`Compact::settle`] sorts what was pushed into pairs of varints (distance to the bucket
/// before, count). Most buckets are near each other and small, so a pair is mostly two bytes.
#[derive(Debug, Default)]
pub struct Compact {
    pairs: Vec<u8>,
    pending: Vec<u32>,
}

impl Compact {
    /// Adds `count` values of one bucket.
    #[inline]
    pub fn add(&mut self, bucket: u16, mut count: u64) {
        while count > 0 {
            if self.pending.len() == PENDING_MAX {
                self.settle();
            }
            let some = count.min(COUNT_MAX);
            self.pending.push(u32::from(bucket) << COUNT_BITS | some as u32);
            count -= some;
        }
    }

    /// Sorts what was added into the compact form and gives the room back.
    pub fn settle(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        self.pending.sort_unstable();
        let mut out = Pairs::default();
        let mut old = Decoder { bytes: &self.pairs, bucket: 0 }.peekable();
        for run in self.pending.chunk_by(|a, b| a >> COUNT_BITS == b >> COUNT_BITS) {
            let mut count = run.iter().map(|&one| counted(one).1).sum();
            let (bucket, _) = counted(run[0]);
            while let Some((before, n)) = old.next_if(|(before, _)| *before <= bucket) {
                if before == bucket {
                    count += n;
                } else {
                    out.push(before, n);
                }
            }
            out.push(bucket, count);
        }
        old.for_each(|(bucket, count)| out.push(bucket, count));
        out.bytes.shrink_to_fit();
        self.pairs = out.bytes;
        self.pending = Vec::new();
    }

    /// Adds all of another.
    pub fn join(&mut self, other: &Compact) {
        let pairs = Decoder { bytes: &other.pairs, bucket: 0 };
        pairs
            .chain(other.pending.iter().map(|&one| counted(one)))
            .for_each(|(bucket, count)| self.add(bucket, count));
        self.settle();
    }

    /// Adds all of it to `merged`.
    pub fn merge_into(&self, merged: &mut Merged) {
        for (bucket, count) in (Decoder { bytes: &self.pairs, bucket: 0 }) {
            merged.add(bucket, count);
        }
        for &one in &self.pending {
            let (bucket, count) = counted(one);
            merged.add(bucket, count);
        }
    }
}

fn counted(pending: u32) -> (u16, u64) {
    ((pending >> COUNT_BITS) as u16, u64::from(pending) & COUNT_MAX)
}

#[derive(Default)]
struct Pairs {
    bytes: Vec<u8>,
    last: u16,
}

impl Pairs {
    fn push(&mut self, bucket: u16, count: u64) {
        spanmill_proto::wire::put_varint(&mut self.bytes, u64::from(bucket - self.last));
        spanmill_proto::wire::put_varint(&mut self.bytes, count);
        self.last = bucket;
    }
}

/// Reads the pairs that [`Pairs`] wrote: ascending buckets with their counts.
struct Decoder<'a> {
    bytes: &'a [u8],
    bucket: u16,
}

impl Decoder<'_> {
    #[inline]
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let (&byte, rest) = self.bytes.split_first()?;
            self.bytes = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        Some(value)
    }
}

impl Iterator for Decoder<'_> {
    type Item = (u16, u64);

    #[inline]
    fn next(&mut self) -> Option<(u16, u64)> {
        self.bucket += self.varint()? as u16;
        Some((self.bucket, self.varint()?))
    }
}

/// A histogram being summed up: one counter for each bucket.
#[derive(Debug, Clone)]
pub struct Merged {
    counts: Box<[u64]>,
    total: u64,
}

impl Default for Merged {
    fn default() -> Merged {
        Merged { counts: vec![0; BUCKETS].into_boxed_slice(), total: 0 }
    }
}

impl Merged {
    #[inline]
    pub fn add(&mut self, bucket: u16, count: u64) {
        self.counts[usize::from(bucket)] += count;
        self.total += count;
    }

    pub fn clear(&mut self) {
        if self.total > 0 {
            self.counts.fill(0);
            self.total = 0;
        }
    }

    /// Buckets in use with their counts, ascending.
    pub fn buckets(&self) -> Vec<(u16, u64)> {
        let used = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        used.map(|(bucket, count)| (bucket as u16, *count)).collect()
    }

    /// The durations in ns at `quantiles` (ascending, nearest rank); `None` without a single value.
    pub fn quantiles<const N: usize>(&self, quantiles: [f64; N]) -> Option<[u64; N]> {
        if self.total == 0 {
            return None;
        }
        let mut found = [0; N];
        let (mut seen, mut bucket) = (self.counts[0], 0);
        for (found, quantile) in found.iter_mut().zip(quantiles) {
            let rank = ((quantile * self.total as f64).ceil() as u64).clamp(1, self.total);
            while seen < rank {
                bucket += 1;
                seen += self.counts[bucket];
            }
            *found = middle_ns(bucket as u16);
        }
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::Histogram;
    use proptest::prelude::*;

    fn hdr() -> Histogram<u64> {
        Histogram::new_with_bounds(100, DURATION_MAX_NS, 2).unwrap()
    }

    /// Durations of all magnitudes, not mostly hours as a uniform choice would give.
    fn duration() -> impl Strategy<Value = u64> {
        (0u32..42, any::<u64>()).prop_map(|(bits, seed)| (seed % (2 << bits)).min(DURATION_MAX_NS))
    }

    fn merged(values: &[u64]) -> Merged {
        let mut compact = Compact::default();
        for (i, &value) in values.iter().enumerate() {
            compact.add(bucket(value), 1);
            if i % 7 == 0 {
                compact.settle();
            }
        }
        let mut merged = Merged::default();
        compact.merge_into(&mut merged);
        merged
    }

    #[test]
    fn the_layout_has_as_many_buckets_as_hdr() {
        assert_eq!(hdr().distinct_values(), BUCKETS);
        assert!(usize::from(bucket(u64::MAX)) < BUCKETS);
    }

    proptest! {
        #[test]
        fn a_duration_falls_into_the_bucket_that_hdr_gives_it(ns in duration()) {
            let hdr = hdr();
            let middle = middle_ns(bucket(ns));
            prop_assert!(hdr.equivalent(ns, middle), "{ns} in the bucket of {middle}");
            prop_assert_eq!(middle, hdr.median_equivalent(ns));
        }

        #[test]
        fn buckets_ascend_with_the_duration(a in duration(), b in duration()) {
            prop_assert!(bucket(a.min(b)) <= bucket(a.max(b)));
        }

        #[test]
        fn quantiles_are_within_one_percent_of_the_exact_ones(
            mut values in proptest::collection::vec(duration().prop_map(|ns| ns.max(10_000)), 1..3000),
        ) {
            let found = merged(&values).quantiles([0.5, 0.95, 0.99]).unwrap();
            values.sort_unstable();
            for (quantile, found) in [0.5, 0.95, 0.99].into_iter().zip(found) {
                let exact = values[(quantile * values.len() as f64).ceil() as usize - 1] as f64;
                prop_assert!((found as f64 - exact).abs() <= exact * 0.01, "p{quantile}: {found}, exactly {exact}");
            }
        }

        #[test]
        fn the_order_of_adding_and_settling_changes_nothing(
            mut values in proptest::collection::vec(duration(), 1..300),
        ) {
            let forward = merged(&values);
            values.reverse();
            prop_assert_eq!(forward.counts, merged(&values).counts);
        }
    }

    #[test]
    fn many_values_of_one_bucket_are_as_so_many_single_ones() {
        let (mut single, mut many) = (Compact::default(), Compact::default());
        for (ns, count) in [(5_000_000, 3), (7_000_000, 1), (5_000_000, 4)] {
            (0..count).for_each(|_| single.add(bucket(ns), 1));
            many.add(bucket(ns), count);
        }
        many.add(bucket(9_000_000), 3 * COUNT_MAX + 1);
        many.settle();
        let buckets = |compact: &Compact| {
            let mut merged = Merged::default();
            compact.merge_into(&mut merged);
            merged.buckets()
        };
        assert_eq!(buckets(&many)[..2], buckets(&single)[..]);
        assert_eq!(buckets(&many)[2], (bucket(9_000_000), 3 * COUNT_MAX + 1));
    }

    #[test]
    fn a_busy_second_settles_by_itself() {
        let values: Vec<u64> = (0..3 * PENDING_MAX as u64).map(|i| i * 1_000).collect();
        let mut compact = Compact::default();
        values.iter().for_each(|&value| compact.add(bucket(value), 1));
        assert!(compact.pending.len() <= PENDING_MAX);
        let mut sum = Merged::default();
        compact.merge_into(&mut sum);
        assert_eq!(sum.counts, merged(&values).counts);
        assert_eq!(sum.total, values.len() as u64);
    }
}
