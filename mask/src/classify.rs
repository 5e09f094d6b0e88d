//! Sorts 64 bytes at a time into the classes that the scan looks at, one bit per byte.
//!
//! SSE2 belongs to every x86-64, so there is nothing to detect at run time; elsewhere the scalar twin does the work.

/// One bit per byte of a block, bit 0 for its first byte.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Classes {
    /// `0`–`9`
    pub digit: u64,
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
            classes.digit |= bits(between(v, b'0', 9)) << at;
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
