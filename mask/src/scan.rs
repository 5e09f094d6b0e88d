//! The one scan: where in any bytes something *may* be a secret.
//!
//! What a suspect is depends only on bytes inside the secret itself, so more text before or behind can add suspects
//! but never remove one. That is why a scan over a whole encoded request finds all that a scan of each string finds.

use crate::classify::{self, BLOCK, Classes};
use crate::names::{Class, Names};
use crate::rules::{email, flag, iban, iso8583, keys, literal, named, pair, shortened, sql, tag};
use crate::{place, separator, veil};

/// Something that may be a secret. Each position is inside of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Suspect {
    /// At least [`RUN_MIN`] digits in `start..end`, as many as there are.
    Run { start: usize, end: usize },
    /// Four digits or more that end here, a separator, and more groups.
    Groups { first_end: usize },
    /// The digits that end here have stars beside them.
    Shortened(usize),
    /// A `:` or `=` behind what may be a sensitive key.
    Separator(usize),
    /// The `<` of an element whose name may be sensitive.
    Tag(usize),
    /// A bracket that may hold a pair of name and value, or the columns of a statement.
    Bracket(usize),
    /// An `@` in what may be an address or behind a URL's user.
    At(usize),
    /// The name of a command-line flag starts here, behind its dashes.
    Flag(usize),
    /// The `BEGIN` of a private key, behind its dashes.
    Pem(usize),
    /// A vendor's key, a token or an authorization scheme starts here.
    Literal(usize),
    /// A bank account number starts here.
    Iban(usize),
    /// Something is written in another way than plainly.
    Veil(usize),
}

/// Digits in the shortest card number that is looked for without a key that announces it; 13 are often a timestamp.
pub(crate) const RUN_MIN: usize = 14;

/// Calls `found` for each suspect in `bytes`, block by block in ascending order.
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)] // By `cargo bench` AVX2 makes clean JSON 1.16 times, a request 1.26 times as fast as SSE2.
pub(crate) fn suspects(bytes: &[u8], names: &Names, found: impl FnMut(Suspect)) {
    #[target_feature(enable = "avx2,bmi1,bmi2")]
    fn with_avx2(bytes: &[u8], names: &Names, found: impl FnMut(Suspect)) {
        scan(bytes, names, found, |block| classify::avx2::classify(block));
    }
    #[target_feature(enable = "sse2")]
    fn with_sse2(bytes: &[u8], names: &Names, found: impl FnMut(Suspect)) {
        scan(bytes, names, found, |block| classify::sse2::classify(block));
    }
    use std::is_x86_feature_detected as has;
    if has!("avx2") && has!("bmi1") && has!("bmi2") {
        // SAFETY: the processor has just been asked for these features; the answer is cached.
        unsafe { with_avx2(bytes, names, found) }
    } else {
        // SAFETY: SSE2 is part of x86-64; there is no such target without it.
        unsafe { with_sse2(bytes, names, found) }
    }
}

#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
#[allow(unsafe_code)] // The scalar twin looks at each byte four times.
pub(crate) fn suspects(bytes: &[u8], names: &Names, found: impl FnMut(Suspect)) {
    #[target_feature(enable = "neon")]
    fn with_neon(bytes: &[u8], names: &Names, found: impl FnMut(Suspect)) {
        scan(bytes, names, found, |block| classify::neon::classify(block));
    }
    // SAFETY: NEON is part of AArch64; there is no such target of Rust's with the standard library without it.
    unsafe { with_neon(bytes, names, found) }
}

#[cfg(not(any(target_arch = "x86_64", all(target_arch = "aarch64", target_endian = "little"))))]
pub(crate) fn suspects(bytes: &[u8], names: &Names, found: impl FnMut(Suspect)) {
    scan(bytes, names, found, classify::scalar);
}

/// Inlined, so that all of it is compiled for the processor that `classify` needs.
#[inline(always)]
fn scan(bytes: &[u8], names: &Names, found: impl FnMut(Suspect), classify: impl Fn(&[u8; BLOCK]) -> Classes) {
    let mut scan = Scan { bytes, names, found };
    let mut masks = Masks::default();
    let mut base = 0;
    let mut blocks = bytes.chunks_exact(BLOCK);
    for block in &mut blocks {
        let block = block.try_into().expect("chunks_exact gives whole blocks");
        scan.block(base, masks.step(&classify(block)));
        base += BLOCK;
    }
    // Padded, so that digits at the very end are followed by something.
    let mut last = [0; BLOCK];
    let rest = blocks.remainder();
    last[..rest.len()].copy_from_slice(rest);
    scan.block(base, masks.step(&classify(&last)));
}

struct Scan<'a, F> {
    bytes: &'a [u8],
    names: &'a Names,
    found: F,
}

impl<F: FnMut(Suspect)> Scan<'_, F> {
    #[inline(always)]
    fn block(&mut self, base: usize, hits: Hits) {
        let mut bits = hits.special | hits.digits | hits.iban | hits.dashes;
        while bits != 0 {
            let bit = bits & bits.wrapping_neg();
            bits ^= bit;
            let at = base + bit.trailing_zeros() as usize;
            if hits.special & bit != 0 {
                self.special(at);
            }
            if hits.digits & bit != 0 {
                self.digits(at, hits.long & bit != 0);
            }
            if (hits.iban | hits.dashes) & bit != 0 {
                self.pair(at, hits.iban & bit != 0);
            }
        }
    }

    #[inline(always)]
    fn special(&mut self, at: usize) {
        let bytes = self.bytes;
        match bytes[at] {
            b':' | b'=' => {
                if self.is_key(at) {
                    (self.found)(Suspect::Separator(at));
                }
            }
            b'-' if matches!(bytes.get(at + 1), Some(b'>')) => {
                if self.is_key(at) {
                    (self.found)(Suspect::Separator(at));
                }
            }
            b'_' | b'-' | b'I' | b'J' | b'b' | b'B' => {
                if let Some(start) = literal::may_start(bytes, at) {
                    (self.found)(Suspect::Literal(start));
                }
                if bytes[at] == b'-' && !is_inside_word(bytes, at) {
                    self.flag(at + 1);
                }
            }
            b'<' => {
                if tag::class(bytes, self.names, at).is_some() || iso8583::may_start(bytes, at) {
                    (self.found)(Suspect::Tag(at));
                }
            }
            b'@' => {
                if email::may_be(bytes, at) {
                    (self.found)(Suspect::At(at));
                }
            }
            b'[' | b'(' => {
                if pair::name(bytes, self.names, at).is_some()
                    || bytes[at] == b'(' && sql::may_start(bytes, self.names, at)
                {
                    (self.found)(Suspect::Bracket(at));
                }
            }
            b'?' | b'Z' | b']' | b'Y' => {}
            _ => {
                if veil::is_veil(bytes, at) {
                    (self.found)(Suspect::Veil(at));
                }
            }
        }
    }

    #[inline(always)]
    fn is_key(&self, at: usize) -> bool {
        // Most keys are written `"like this":`; three letters tell that they are none of ours.
        if let Some([a, b, c, b'"']) = at.checked_sub(4).map(|start| &self.bytes[start..at])
            && *c != b'\\'
            && !self.names.may_end(&[*a, *b, *c])
        {
            return false;
        }
        self.is_sensitive_key(at)
    }

    fn is_sensitive_key(&self, at: usize) -> bool {
        if named::is_serialized(self.bytes, at) && named::class(self.bytes, self.names, at + 1).is_some() {
            return true;
        }
        let key = &self.bytes[..place::key_end(self.bytes, at).end];
        self.names.may_end(key)
            && match self.names.may_name(key) {
                None => false,
                Some(Class::Label) => keys::value_start(self.bytes, at)
                    .is_some_and(|from| named::class(self.bytes, self.names, from).is_some()),
                Some(_) => true,
            }
    }

    fn digits(&mut self, end: usize, long: bool) {
        if long {
            (self.found)(Suspect::Run { start: start_of_digits(self.bytes, end), end });
        }
        if may_be_grouped(self.bytes, end) {
            (self.found)(Suspect::Groups { first_end: end });
        }
        if self.names.tightens && shortened::may_be(self.bytes, end) {
            (self.found)(Suspect::Shortened(end));
        }
    }

    /// Two capitals and two digits up to `at`, or two dashes before it.
    fn pair(&mut self, at: usize, iban: bool) {
        if iban {
            if iban::may_start(self.bytes, at - 3) {
                (self.found)(Suspect::Iban(at - 3));
            }
        } else if literal::may_be_pem(self.bytes, at) {
            (self.found)(Suspect::Pem(at));
        }
    }

    /// The name of a flag may start at `at`, behind a dash.
    fn flag(&mut self, at: usize) {
        if flag::name_end(self.bytes, at).is_some_and(|end| flag::may_be(self.bytes, self.names, at, end)) {
            (self.found)(Suspect::Flag(at));
        }
    }
}

/// Whether letters or digits stand before the dash at `at`, as in `my-token`. Two of them: one may be the length of the
/// text that the dash begins, and the tag before a length is neither.
fn is_inside_word(bytes: &[u8], at: usize) -> bool {
    matches!(bytes[..at], [.., a, b] if a.is_ascii_alphanumeric() && b.is_ascii_alphanumeric())
}

/// Where the digits that end before `end` start.
fn start_of_digits(bytes: &[u8], end: usize) -> usize {
    bytes[..end].iter().rposition(|b| !b.is_ascii_digit()).map_or(0, |before| before + 1)
}

/// Whether two more groups of at least four digits follow the one that ends before `end`.
fn may_be_grouped(bytes: &[u8], end: usize) -> bool {
    let Some(second) = separator::after(bytes, end) else { return false };
    let Some(second_end) = end_of_group(bytes, second) else { return false };
    let Some(third) = separator::after(bytes, second_end) else { return false };
    end_of_group(bytes, third).is_some()
}

/// The end of the four to six digits at `start`; more than six are cut.
fn end_of_group(bytes: &[u8], start: usize) -> Option<usize> {
    let group = &bytes[start..bytes.len().min(start + 6)];
    let digits = group.iter().take_while(|b| b.is_ascii_digit()).count();
    (digits >= 4).then_some(start + digits)
}

/// Where to look closer in one block.
#[derive(Debug, Clone, Copy)]
struct Hits {
    /// bytes of class `special`, and dashes
    special: u64,
    /// the first byte behind four digits or more
    digits: u64,
    /// the first byte behind [`RUN_MIN`] digits or more; a subset of `digits`
    long: u64,
    /// the second digit behind two capital letters
    iban: u64,
    /// the first byte behind two dashes or more
    dashes: u64,
}

/// Finds runs across blocks by shifting masks; holds the previous block's.
#[derive(Debug, Default)]
struct Masks {
    one: u64,
    two: u64,
    four: u64,
    eight: u64,
    fourteen: u64,
    upper: u64,
    dash: u64,
    dashes: u64,
}

impl Masks {
    #[inline]
    fn step(&mut self, classes: &Classes) -> Hits {
        let one = classes.digit;
        let two = one & shifted(one, self.one, 1);
        let four = two & shifted(two, self.two, 2);
        let eight = four & shifted(four, self.four, 4);
        let fourteen = eight & shifted(eight, self.eight, 6);
        let (upper, dash) = (classes.upper, classes.dash);
        let dashes = dash & shifted(dash, self.dash, 1);
        let hits = Hits {
            special: classes.special | dash,
            digits: shifted(four, self.four, 1) & !one,
            long: shifted(fourteen, self.fourteen, 1) & !one,
            iban: two & shifted(upper, self.upper, 2) & shifted(upper, self.upper, 3),
            dashes: shifted(dashes, self.dashes, 1) & !dash,
        };
        *self = Masks { one, two, four, eight, fourteen, upper, dash, dashes };
        hits
    }
}

/// `mask` moved by `by` positions towards later bytes, with what the previous block hands over.
fn shifted(mask: u64, previous: u64, by: u32) -> u64 {
    mask << by | previous >> (64 - by)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<Suspect> {
        let mut all = Vec::new();
        let names = Names::new(&[]).unwrap();
        suspects(text.as_bytes(), &names, |suspect| all.push(suspect));
        all
    }

    #[test]
    fn a_run_is_found_wherever_it_meets_the_block_border() {
        for before in 0..140 {
            for digits in [13, 14, 19, 64, 200] {
                let text = "x".repeat(before) + &"7".repeat(digits);
                let want = Suspect::Run { start: before, end: before + digits };
                assert_eq!(found(&text) == [want], digits >= RUN_MIN, "{digits} digits after {before}");
                assert_eq!(
                    found(&(text + "y")) == [want],
                    digits >= RUN_MIN,
                    "{digits} digits after {before}"
                );
            }
        }
    }

    #[test]
    fn groups_are_found_at_the_end_of_the_first() {
        for before in 0..70 {
            let text = "x".repeat(before) + "4111 1111 1111 1111";
            assert_eq!(found(&text)[0], Suspect::Groups { first_end: before + 4 });
        }
        assert_eq!(found("2026-11-22 20:15:03"), []);
    }
}
