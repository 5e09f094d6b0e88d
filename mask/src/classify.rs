//! Sorts 64 bytes at a time into the classes that the scan looks at, one bit per byte.
//!
//! [`scalar`] says in plain words what the classes are; the vector code agrees with it on every byte. SSE2 belongs to
//! every x86-64 and NEON to every AArch64; AVX2 is asked for once, since it makes a request a quarter faster.

/// One bit per byte of a block, bit 0 for its first byte.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Classes {
    /// `0`–`9`
    pub digit: u64,
    /// `A`–`Z`
    pub upper: u64,
    /// `-`
    pub dash: u64,
    /// [`is_special`]
    pub special: u64,
}

/// Bytes in a block.
pub(crate) const BLOCK: usize = 64;

/// Bytes to look at one by one: `:` `=` `<` `@` end or start a key, a tag or an address; `_` `I` `J` `b` `B` are
/// rare and one of them is in every literal; `[` and `(` open lists; `\` `%` `&` and the first bytes of non-ASCII
/// digits can hide something. `?` `Y` `Z` `]` cost nothing to look at and come along, because they share their halves
/// with others.
#[cfg(any(test, not(any(target_arch = "x86_64", all(target_arch = "aarch64", target_endian = "little")))))]
fn is_special(b: u8) -> bool {
    matches!(
        b,
        b':' | b'='
            | b'<'
            | b'@'
            | b'_'
            | b'I'
            | b'J'
            | b'b'
            | b'B'
            | b'\\'
            | b'%'
            | b'&'
            | 0xd9
            | 0xdb
            | 0xe0
            | 0xef
            | b'['
            | b'('
            | b'?'
            | b'Y'
            | b'Z'
            | b']'
    )
}

/// The meaning of the classes; what other processors run, and what the vector code is tested against.
#[cfg(any(test, not(any(target_arch = "x86_64", all(target_arch = "aarch64", target_endian = "little")))))]
pub(crate) fn scalar(block: &[u8; BLOCK]) -> Classes {
    let mut classes = Classes::default();
    for (i, &b) in block.iter().enumerate() {
        classes.digit |= u64::from(b.is_ascii_digit()) << i;
        classes.upper |= u64::from(b.is_ascii_uppercase()) << i;
        classes.dash |= u64::from(b == b'-') << i;
        classes.special |= u64::from(is_special(b)) << i;
    }
    classes
}

#[cfg(target_arch = "x86_64")]
pub(crate) mod sse2 {
    use std::arch::x86_64::*;

    use super::{BLOCK, Classes};

    #[target_feature(enable = "sse2")]
    #[inline]
    pub(crate) fn classify(block: &[u8; BLOCK]) -> Classes {
        let mut classes = Classes::default();
        for (i, lane) in block.chunks_exact(16).enumerate() {
            let v = load(lane);
            let at = i * 16;
            classes.digit |= bits(between(v, b'0', 9)) << at;
            classes.upper |= bits(between(v, b'A', 25)) << at;
            classes.dash |= bits(_mm_cmpeq_epi8(v, _mm_set1_epi8(b'-' as i8))) << at;
            classes.special |= bits(special(v)) << at;
        }
        classes
    }

    #[target_feature(enable = "sse2")]
    #[inline]
    fn special(v: __m128i) -> __m128i {
        let or = |a, b| _mm_or_si128(a, b);
        let is = |b: u8| _mm_cmpeq_epi8(v, _mm_set1_epi8(b as i8));
        // Two bytes that differ in one bit are one comparison with that bit set.
        let either = |bit: u8, b: u8| _mm_cmpeq_epi8(or(v, _mm_set1_epi8(bit as i8)), _mm_set1_epi8(b as i8));
        let key = or(or(is(b':'), is(b'@')), or(is(b'='), is(b'<')));
        let literal = or(or(is(b'_'), either(0x20, b'b')), or(is(b'I'), is(b'J')));
        let veil = or(or(is(b'\\'), is(b'%')), or(is(b'&'), or(either(2, 0xdb), or(is(0xe0), is(0xef)))));
        let list = or(is(b'['), is(b'('));
        let idle = or(or(is(b'?'), is(b'Y')), or(is(b'Z'), is(b']')));
        or(or(key, literal), or(veil, or(list, idle)))
    }

    #[target_feature(enable = "sse2")]
    #[inline]
    fn load(lane: &[u8]) -> __m128i {
        let half =
            |at: usize| i64::from_le_bytes(lane[at..at + 8].try_into().expect("eight bytes of sixteen"));
        _mm_set_epi64x(half(8), half(0))
    }

    /// All ones where `first <= byte <= first + span`, unsigned.
    #[target_feature(enable = "sse2")]
    #[inline]
    fn between(v: __m128i, first: u8, span: u8) -> __m128i {
        let from_first = _mm_sub_epi8(v, _mm_set1_epi8(first as i8));
        _mm_cmpeq_epi8(_mm_min_epu8(from_first, _mm_set1_epi8(span as i8)), from_first)
    }

    #[target_feature(enable = "sse2")]
    #[inline]
    fn bits(v: __m128i) -> u64 {
        u64::from(_mm_movemask_epi8(v) as u32)
    }
}

/// Classes by table: one look-up for the low half of each byte, one for the high half; a class is where both agree.
#[cfg(any(target_arch = "x86_64", all(target_arch = "aarch64", target_endian = "little")))]
mod table {
    pub(super) const DIGIT: u8 = 0x80; // 3, 0–9
    pub(super) const DASH: u8 = 0x40; // 2, d
    const PERCENT: u8 = 0x20; // 2, 5 6 8
    const MARKS: u8 = 0x10; // 3 5, a c d f
    const CAPITALS: u8 = 0x08; // 4, 0 2 9 a
    const SMALL_B: u8 = 0x04; // 6, 2
    const ARABIC: u8 = 0x02; // 5 d, 9 b
    const WIDE: u8 = 0x01; // e, 0 f
    pub(super) const SPECIAL: u8 = PERCENT | MARKS | CAPITALS | SMALL_B | ARABIC | WIDE;

    pub(super) const LOW: [u8; 16] = [
        DIGIT | CAPITALS | WIDE,
        DIGIT,
        DIGIT | CAPITALS | SMALL_B,
        DIGIT,
        DIGIT,
        DIGIT | PERCENT,
        DIGIT | PERCENT,
        DIGIT,
        DIGIT | PERCENT,
        DIGIT | CAPITALS | ARABIC,
        MARKS | CAPITALS,
        ARABIC,
        MARKS,
        MARKS | DASH,
        0,
        MARKS | WIDE,
    ];

    pub(super) const HIGH: [u8; 16] = [
        0,
        0,
        DASH | PERCENT,
        DIGIT | MARKS,
        CAPITALS,
        MARKS | ARABIC,
        SMALL_B,
        0,
        0,
        0,
        0,
        0,
        0,
        ARABIC,
        WIDE,
        0,
    ];
}

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2 {
    use std::arch::x86_64::*;

    use super::table::{HIGH, LOW, SPECIAL};
    use super::{BLOCK, Classes};

    #[target_feature(enable = "avx2")]
    #[inline]
    pub(crate) fn classify(block: &[u8; BLOCK]) -> Classes {
        let (low, high) = block.split_at(BLOCK / 2);
        let (low, high) = (half(low), half(high));
        Classes {
            digit: joined(low.digit, high.digit),
            upper: joined(low.upper, high.upper),
            dash: joined(low.dash, high.dash),
            special: joined(low.special, high.special),
        }
    }

    struct Half {
        digit: i32,
        upper: i32,
        dash: i32,
        special: i32,
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn half(lane: &[u8]) -> Half {
        let v = load(lane);
        let nibble = _mm256_set1_epi8(0x0f);
        let low = _mm256_shuffle_epi8(twice(&LOW), _mm256_and_si256(v, nibble));
        let high = _mm256_shuffle_epi8(twice(&HIGH), _mm256_and_si256(_mm256_srli_epi16::<4>(v), nibble));
        let class = _mm256_and_si256(low, high);
        let special = _mm256_and_si256(class, _mm256_set1_epi8(SPECIAL as i8));
        let from_a = _mm256_sub_epi8(v, _mm256_set1_epi8(b'A' as i8));
        let upper = _mm256_cmpeq_epi8(_mm256_min_epu8(from_a, _mm256_set1_epi8(25)), from_a);
        Half {
            // The mask takes the top bit of each byte, which is `DIGIT`; `DASH` is the next.
            digit: _mm256_movemask_epi8(class),
            dash: _mm256_movemask_epi8(_mm256_slli_epi16::<1>(class)),
            upper: _mm256_movemask_epi8(upper),
            special: !_mm256_movemask_epi8(_mm256_cmpeq_epi8(special, _mm256_setzero_si256())),
        }
    }

    fn joined(low: i32, high: i32) -> u64 {
        u64::from(low as u32) | u64::from(high as u32) << 32
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn load(lane: &[u8]) -> __m256i {
        let quarter = |at: usize| i64::from_le_bytes(lane[at..at + 8].try_into().expect("eight bytes of 32"));
        _mm256_set_epi64x(quarter(24), quarter(16), quarter(8), quarter(0))
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn twice(bytes: &[u8; 16]) -> __m256i {
        let half =
            |at: usize| i64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes of sixteen"));
        _mm256_set_epi64x(half(8), half(0), half(8), half(0))
    }
}

#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
pub(crate) mod neon {
    use std::arch::aarch64::*;

    use super::table::{DASH, DIGIT, HIGH, LOW, SPECIAL};
    use super::{BLOCK, Classes};

    #[target_feature(enable = "neon")]
    #[inline]
    pub(crate) fn classify(block: &[u8; BLOCK]) -> Classes {
        let lanes = [load(block, 0), load(block, 16), load(block, 32), load(block, 48)];
        let classes = lanes.map(|v| {
            let low = vqtbl1q_u8(load(&LOW, 0), vandq_u8(v, vdupq_n_u8(0x0f)));
            vandq_u8(low, vqtbl1q_u8(load(&HIGH, 0), vshrq_n_u8::<4>(v)))
        });
        Classes {
            digit: bits(classes.map(|class| vtstq_u8(class, vdupq_n_u8(DIGIT)))),
            upper: bits(lanes.map(|v| vcleq_u8(vsubq_u8(v, vdupq_n_u8(b'A')), vdupq_n_u8(25)))),
            dash: bits(classes.map(|class| vtstq_u8(class, vdupq_n_u8(DASH)))),
            special: bits(classes.map(|class| vtstq_u8(class, vdupq_n_u8(SPECIAL)))),
        }
    }

    /// Each byte keeps the bit of its place among eight; three pairwise sums fold 64 bytes into eight.
    #[target_feature(enable = "neon")]
    #[inline]
    fn bits(masks: [uint8x16_t; 4]) -> u64 {
        let places = vcreate_u8(0x8040_2010_0804_0201);
        let [a, b, c, d] = masks.map(|mask| vandq_u8(mask, vcombine_u8(places, places)));
        let quarters = vpaddq_u8(vpaddq_u8(a, b), vpaddq_u8(c, d));
        vgetq_lane_u64::<0>(vreinterpretq_u64_u8(vpaddq_u8(quarters, quarters)))
    }

    #[target_feature(enable = "neon")]
    #[inline]
    fn load(bytes: &[u8], at: usize) -> uint8x16_t {
        let half =
            |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes of sixteen"));
        vcombine_u8(vcreate_u8(half(at)), vcreate_u8(half(at + 8)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every implementation that this processor can run.
    #[allow(unsafe_code)]
    fn all(block: &[u8; BLOCK]) -> Vec<Classes> {
        let mut all = vec![scalar(block)];
        #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
        // SAFETY: NEON is part of AArch64.
        all.push(unsafe { neon::classify(block) });
        #[cfg(target_arch = "x86_64")]
        {
            // SAFETY: SSE2 is part of x86-64.
            all.push(unsafe { sse2::classify(block) });
            if std::is_x86_feature_detected!("avx2") {
                // SAFETY: just asked for.
                all.push(unsafe { avx2::classify(block) });
            }
        }
        all
    }

    proptest! {
        #[test]
        fn vector_code_agrees_with_its_scalar_twin(bytes in proptest::collection::vec(any::<u8>(), BLOCK)) {
            let block: [u8; BLOCK] = bytes.try_into().unwrap();
            for classes in all(&block) {
                prop_assert_eq!(classes, scalar(&block));
            }
        }
    }

    #[test]
    fn every_byte_value_is_classified_alike_in_every_lane() {
        for value in 0..=255 {
            for at in 0..BLOCK {
                let mut block = [0; BLOCK];
                block[at] = value;
                for classes in all(&block) {
                    assert_eq!(classes, scalar(&block), "byte {value:#x} at {at}");
                }
            }
        }
    }
}
