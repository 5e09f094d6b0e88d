//! Histograms as HdrHistogram writes them: its compressed V2 format, which its libraries for Java, Go, Python, C and
//! JavaScript read. Values are nanoseconds, in the layout of the roll-up: from 100 ns to 1 h, two significant digits.
//!
//! ```text
//! cookie 0x1c849314 u32 | length u32 | zlib( cookie 0x1c849313 u32 | length u32 | index offset 0 u32 | digits 2 u32 |
//!                                            lowest 100 u64 | highest 3.6e12 u64 | ratio 1.0 f64 | counts )
//! ```
//! All numbers are big-endian. Counts are zigzag LEB128, one for each bucket up to the last that is used; a negative one
//! is a run of empty buckets.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use spanmill_proto::wire::put_varint;

use crate::rollup::{BUCKETS, DURATION_MAX_NS};

/// The format's base number, with the "word size" 16 that all V2 writers put into its second digit.
const COOKIE: u32 = 0x1c84_9313;
const COOKIE_COMPRESSED: u32 = 0x1c84_9314;
const DIGITS: u32 = 2;
const LOWEST_NS: u64 = 100;
const HEADER_LEN: usize = 40;
/// What one bucket takes at most: nine bytes of LEB128.
const PLAIN_MAX: usize = HEADER_LEN + 9 * BUCKETS;

/// What cannot be a histogram of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a histogram of this layout")]
pub struct Foreign;

/// Writes and reads histograms; kept, because setting zlib up costs more than a histogram does.
#[derive(Debug)]
pub struct Codec {
    deflate: Compress,
    inflate: Decompress,
    plain: Vec<u8>,
}

impl Default for Codec {
    fn default() -> Codec {
        // Level 1: a histogram is some hundred bytes, where more effort gains nothing.
        Codec {
            deflate: Compress::new(Compression::fast(), true),
            inflate: Decompress::new(true),
            plain: Vec::with_capacity(PLAIN_MAX),
        }
    }
}

impl Codec {
    /// Of buckets with their counts, ascending; `None` where there are none.
    pub fn encode(&mut self, buckets: impl Iterator<Item = (u16, u64)>) -> Option<Vec<u8>> {
        self.plain.clear();
        self.plain.resize(HEADER_LEN, 0);
        let mut next = 0;
        for (bucket, count) in buckets.filter(|(_, count)| *count > 0) {
            let empty = i64::from(bucket) - next;
            if empty > 0 {
                put_count(&mut self.plain, -empty);
            }
            put_count(&mut self.plain, i64::try_from(count).unwrap_or(i64::MAX));
            next = i64::from(bucket) + 1;
        }
        if next == 0 {
            return None;
        }
        let length = (self.plain.len() - HEADER_LEN) as u32;
        let words = [COOKIE, length, 0, DIGITS];
        for (place, word) in self.plain.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_be_bytes());
        }
        self.plain[16..24].copy_from_slice(&LOWEST_NS.to_be_bytes());
        self.plain[24..32].copy_from_slice(&DURATION_MAX_NS.to_be_bytes());
        self.plain[32..40].copy_from_slice(&1f64.to_be_bytes());
        Some(self.compressed())
    }

    fn compressed(&mut self) -> Vec<u8> {
        self.deflate.reset();
        // Deflate never adds more than a few bytes per 16 KiB to what it cannot shrink.
        let mut out = Vec::with_capacity(8 + self.plain.len() + 64);
        out.extend_from_slice(&COOKIE_COMPRESSED.to_be_bytes());
        out.extend_from_slice(&[0; 4]);
        let status = self.deflate.compress_vec(&self.plain, &mut out, FlushCompress::Finish);
        assert_eq!(status.ok(), Some(Status::StreamEnd), "there is room for all of it");
        let length = (out.len() - 8) as u32;
        out[4..8].copy_from_slice(&length.to_be_bytes());
        out
    }

    /// Hands each used bucket and its count to `add`, ascending. On an error some may have been handed on already.
    pub fn decode(&mut self, bytes: &[u8], mut add: impl FnMut(u16, u64)) -> Result<(), Foreign> {
        let (cookie, rest) = u32_of(bytes)?;
        let (length, rest) = u32_of(rest)?;
        if cookie != COOKIE_COMPRESSED || length as usize != rest.len() {
            return Err(Foreign);
        }
        self.inflate.reset(true);
        self.plain.clear();
        let status = self.inflate.decompress_vec(rest, &mut self.plain, FlushDecompress::Finish);
        if status.ok() != Some(Status::StreamEnd) {
            return Err(Foreign);
        }
        let (header, mut counts) = self.plain.split_at_checked(HEADER_LEN).ok_or(Foreign)?;
        let (cookie, rest) = u32_of(header)?;
        let (length, rest) = u32_of(rest)?;
        let layout = [&[0; 4], &DIGITS.to_be_bytes()[..], &LOWEST_NS.to_be_bytes()].concat();
        if cookie != COOKIE || length as usize != counts.len() || !rest.starts_with(&layout) {
            return Err(Foreign);
        }
        let mut bucket = 0;
        while !counts.is_empty() {
            match count(&mut counts)? {
                run @ ..0 => bucket += run.unsigned_abs() as usize,
                // Some writers spell out a single empty bucket.
                0 => bucket += 1,
                count => {
                    let at = u16::try_from(bucket).ok().filter(|at| usize::from(*at) < BUCKETS);
                    add(at.ok_or(Foreign)?, count as u64);
                    bucket += 1;
                }
            }
        }
        Ok(())
    }
}

fn u32_of(bytes: &[u8]) -> Result<(u32, &[u8]), Foreign> {
    let (word, rest) = bytes.split_first_chunk().ok_or(Foreign)?;
    Ok((u32::from_be_bytes(*word), rest))
}

/// Small numbers of either sign become small numbers without one.
fn put_count(out: &mut Vec<u8>, count: i64) {
    let zigzag = ((count << 1) ^ (count >> 63)) as u64;
    if zigzag >> 56 == 0 {
        put_varint(out, zigzag);
        return;
    }
    // HDR's LEB128 has nine bytes at most: the ninth holds eight bits.
    out.extend((0..8).map(|i| (zigzag >> (7 * i)) as u8 | 0x80));
    out.push((zigzag >> 56) as u8);
}

fn count(bytes: &mut &[u8]) -> Result<i64, Foreign> {
    let mut zigzag = 0;
    for i in 0..9 {
        let (&byte, rest) = bytes.split_first().ok_or(Foreign)?;
        *bytes = rest;
        if i == 8 || byte < 0x80 {
            zigzag |= u64::from(byte) << (7 * i);
            break;
        }
        zigzag |= u64::from(byte & 0x7f) << (7 * i);
    }
    Ok((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use hdrhistogram::Histogram;
    use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
    use proptest::prelude::*;

    use super::*;

    fn decoded(bytes: &[u8]) -> Result<Vec<(u16, u64)>, Foreign> {
        let mut found = Vec::new();
        Codec::default().decode(bytes, |bucket, count| found.push((bucket, count)))?;
        Ok(found)
    }

    fn durations() -> impl Strategy<Value = Vec<u64>> {
        let duration = (0u32..42, any::<u64>()).prop_map(|(bits, seed)| seed % (2 << bits));
        proptest::collection::vec(duration.prop_map(|ns| ns.min(DURATION_MAX_NS)), 1..500)
    }

    fn buckets(values: &[u64]) -> BTreeMap<u16, u64> {
        let mut buckets = BTreeMap::new();
        values.iter().for_each(|&ns| *buckets.entry(crate::rollup::bucket(ns)).or_default() += 1);
        buckets
    }

    proptest! {
        #[test]
        fn hdr_reads_what_we_write(values in durations()) {
            let bytes = Codec::default().encode(buckets(&values).into_iter()).unwrap();
            let read: Histogram<u64> = Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap();
            let mut want = Histogram::<u64>::new_with_bounds(LOWEST_NS, DURATION_MAX_NS, 2).unwrap();
            values.iter().for_each(|&ns| want.record(ns).unwrap());
            prop_assert_eq!(&read, &want);
            for quantile in [0.5, 0.95, 0.99, 1.0] {
                prop_assert_eq!(read.value_at_quantile(quantile), want.value_at_quantile(quantile));
            }
        }

        #[test]
        fn we_read_what_hdr_writes(values in durations()) {
            let mut hdr = Histogram::<u64>::new_with_bounds(LOWEST_NS, DURATION_MAX_NS, 2).unwrap();
            values.iter().for_each(|&ns| hdr.record(ns).unwrap());
            let mut bytes = Vec::new();
            V2DeflateSerializer::new().serialize(&hdr, &mut bytes).unwrap();
            prop_assert_eq!(decoded(&bytes).unwrap(), buckets(&values).into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn any_count_survives(counts in proptest::collection::btree_map(0u16..3840, 1u64..i64::MAX as u64, 1..50)) {
            let bytes = Codec::default().encode(counts.clone().into_iter()).unwrap();
            prop_assert_eq!(decoded(&bytes).unwrap(), counts.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn noise_is_refused_and_nothing_panics(values in durations(), at in any::<usize>(), bit in 0u8..8) {
            let mut bytes = Codec::default().encode(buckets(&values).into_iter()).unwrap();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            // zlib's checksum finds it; a flipped bit of its unused header flags changes nothing.
            let read = decoded(&bytes);
            prop_assert!(read.is_err() || read == Ok(buckets(&values).into_iter().collect()));
            prop_assert_eq!(decoded(&bytes[..at]), Err(Foreign));
        }
    }

    #[test]
    fn an_empty_histogram_is_not_written() {
        assert_eq!(Codec::default().encode([].into_iter()), None);
        assert_eq!(Codec::default().encode([(3, 0)].into_iter()), None);
    }

    #[test]
    fn a_codec_is_used_again_and_again() {
        let mut codec = Codec::default();
        for n in 1..50u16 {
            let want: Vec<_> = (0..n).map(|i| (i * 7, u64::from(n))).collect();
            let bytes = codec.encode(want.iter().copied()).unwrap();
            let mut found = Vec::new();
            codec.decode(&bytes, |bucket, count| found.push((bucket, count))).unwrap();
            assert_eq!(found, want);
        }
    }

    #[test]
    fn a_histogram_of_another_layout_is_refused() {
        let mut hdr = Histogram::<u64>::new_with_bounds(1, 1 << 40, 3).unwrap();
        hdr.record(1_000_000).unwrap();
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(&hdr, &mut bytes).unwrap();
        assert_eq!(decoded(&bytes), Err(Foreign));
    }
}
