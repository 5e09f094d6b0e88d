//! Sorts 64 bytes at a time into the classes that the scan looks at, one bit per byte.
//!
//! SSE2 belongs to every x86-64, so there is nothing to detect at run time; elsewhere the scalar twin does the work.

/// One bit per byte of a block, bit 0 for its first byte.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Classes {
    /// `0`–`9`
    pub digit: u64,
    /// `A`–`Z`
    pub upper: u64,
    /// `:` `=` `<` `@`: a key, a tag or an address may end or start here
    pub mark: u64,
    /// `-`
    pub dash: u64,
    /// `-` `_` `I` `J` `z` `b` `B`: rare bytes, one of which every literal has; see `literals`
    pub spot: u64,
    /// `\\` `%` `&` and the first bytes of non-ASCII digits: something may be written in another way than plainly
    pub veil: u64,
}

/// Bytes in a block.
pub(crate) const BLOCK: usize = 64;

#[cfg(target_arch = "x86_64")]
pub(crate) fn classify(block: &[u8; BLOCK]) -> Classes {
    // SAFETY: SSE2 is part of the x86-64 baseline; there is no such target without it.
    #[allow(unsafe_code)]
    unsafe {
        sse2::classify(block)
    }
}

#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn classify(block: &[u8; BLOCK]) -> Classes {
    scalar(block)
}

/// The meaning of the classes, in plain words; the vector code must agree with it on every byte.
#[cfg(any(test, not(target_arch = "x86_64")))]
pub(crate) fn scalar(block: &[u8; BLOCK]) -> Classes {
    let mut classes = Classes::default();
    for (i, &b) in block.iter().enumerate() {
        classes.digit |= u64::from(b.is_ascii_digit()) << i;
        classes.upper |= u64::from(b.is_ascii_uppercase()) << i;
        classes.mark |= u64::from(matches!(b, b':' | b'=' | b'<' | b'@')) << i;
        classes.dash |= u64::from(b == b'-') << i;
        classes.spot |= u64::from(matches!(b, b'-' | b'_' | b'I' | b'J' | b'z' | b'b' | b'B')) << i;
        classes.veil |= u64::from(matches!(b, b'\\' | b'%' | b'&' | 0xd9 | 0xdb | 0xe0 | 0xef)) << i;
    }
    classes
}

#[cfg(target_arch = "x86_64")]
mod sse2 {
    use std::arch::x86_64::*;

    use super::{BLOCK, Classes};

    #[target_feature(enable = "sse2")]
    pub(super) fn classify(block: &[u8; BLOCK]) -> Classes {
        let mut classes = Classes::default();
        for (i, lane) in block.chunks_exact(16).enumerate() {
            let v = load(lane);
            let at = i * 16;
            let is = |b: u8| _mm_cmpeq_epi8(v, _mm_set1_epi8(b as i8));
            let mark = or(or(is(b':'), is(b'=')), or(is(b'<'), is(b'@')));
            // 0xd9 and 0xdb differ in one bit.
            let arabic = _mm_cmpeq_epi8(_mm_or_si128(v, _mm_set1_epi8(2)), _mm_set1_epi8(0xdb_u8 as i8));
            let veil = or(or(is(b'\\'), is(b'%')), or(or(is(b'&'), is(0xe0)), or(is(0xef), arabic)));
            let dash = is(b'-');
            let b = _mm_cmpeq_epi8(_mm_or_si128(v, _mm_set1_epi8(0x20)), _mm_set1_epi8(b'b' as i8));
            let spot = or(or(or(dash, is(b'_')), or(is(b'I'), is(b'J'))), or(is(b'z'), b));
            classes.digit |= bits(between(v, b'0', 9)) << at;
            classes.upper |= bits(between(v, b'A', 25)) << at;
            classes.mark |= bits(mark) << at;
            classes.dash |= bits(dash) << at;
            classes.spot |= bits(spot) << at;
            classes.veil |= bits(veil) << at;
        }
        classes
    }

    #[target_feature(enable = "sse2")]
    fn load(lane: &[u8]) -> __m128i {
        let half = |at: usize| {
            i64::from_le_bytes([
                lane[at],
                lane[at + 1],
                lane[at + 2],
                lane[at + 3],
                lane[at + 4],
                lane[at + 5],
                lane[at + 6],
                lane[at + 7],
            ])
        };
        _mm_set_epi64x(half(8), half(0))
    }

    #[target_feature(enable = "sse2")]
    fn or(a: __m128i, b: __m128i) -> __m128i {
        _mm_or_si128(a, b)
    }

    /// All ones where `first <= byte <= first + span`, unsigned.
    #[target_feature(enable = "sse2")]
    fn between(v: __m128i, first: u8, span: u8) -> __m128i {
        let from_first = _mm_sub_epi8(v, _mm_set1_epi8(first as i8));
        _mm_cmpeq_epi8(_mm_min_epu8(from_first, _mm_set1_epi8(span as i8)), from_first)
    }

    #[target_feature(enable = "sse2")]
    fn bits(v: __m128i) -> u64 {
        u64::from(_mm_movemask_epi8(v) as u32)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn vector_code_agrees_with_its_scalar_twin(bytes in proptest::collection::vec(any::<u8>(), BLOCK)) {
            let block: [u8; BLOCK] = bytes.try_into().unwrap();
            prop_assert_eq!(classify(&block), scalar(&block));
        }
    }

    #[test]
    fn every_byte_value_is_classified_alike_in_every_lane() {
        for value in 0..=255 {
            for at in 0..BLOCK {
                let mut block = [0; BLOCK];
                block[at] = value;
                assert_eq!(classify(&block), scalar(&block), "byte {value:#x} at {at}");
            }
        }
    }
}
