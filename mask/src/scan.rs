//! The one scan: where in any bytes something *may* be a secret.
//!
//! What a suspect is depends only on bytes inside the secret itself, so more text before or behind can add suspects
//! but never remove one. That is why a scan over a whole encoded request finds all that a scan of each string finds.

use crate::classify::{BLOCK, Classes, classify};
use crate::names::{Class, Names};
use crate::rules::{email, flag, iban, keys, literal, named, tag, userinfo};
use crate::{place, separator, veil};

/// Something that may be a secret. Each position is inside of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Suspect {
    /// At least [`RUN_MIN`] digits in `start..end`, as many as there are.
    Run { start: usize, end: usize },
    /// Four digits or more that end here, a separator, and more groups.
    Groups { first_end: usize },
    /// A `:` or `=` behind what may be a sensitive key.
    Separator(usize),
    /// The `:` of a URL with a user.
    Url(usize),
    /// The `<` of an element whose name may be sensitive.
    Tag(usize),
    /// An `@` in what may be an address.
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
pub(crate) fn suspects(bytes: &[u8], names: &Names, found: impl FnMut(Suspect)) {
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
    #[inline]
    fn block(&mut self, base: usize, hits: Hits) {
        let mut bits = hits.mark | hits.spot | hits.digits | hits.veil | hits.iban | hits.dashes;
        while bits != 0 {
            let bit = bits & bits.wrapping_neg();
            bits ^= bit;
            let at = base + bit.trailing_zeros() as usize;
            if hits.mark & bit != 0 {
                self.mark(at);
            }
            if hits.digits & bit != 0 {
                self.digits(at, hits.long & bit != 0);
            }
            if hits.spot & bit != 0
                && let Some(start) = literal::may_start(self.bytes, at)
            {
                (self.found)(Suspect::Literal(start));
            }
            if hits.veil & bit != 0 && veil::is_veil(self.bytes, at) {
                (self.found)(Suspect::Veil(at));
            }
            if hits.iban & bit != 0 && iban::may_start(self.bytes, at - 3) {
                (self.found)(Suspect::Iban(at - 3));
            }
            if hits.dashes & bit != 0 {
                self.dashes(at);
            }
        }
    }

    #[inline]
    fn mark(&mut self, at: usize) {
        let bytes = self.bytes;
        match bytes[at] {
            b'<' => {
                if tag::class(bytes, self.names, at).is_some() {
                    (self.found)(Suspect::Tag(at));
                }
            }
            b'@' => {
                if email::may_be(bytes, at) {
                    (self.found)(Suspect::At(at));
                }
            }
            mark => {
                if self.is_key(at) {
                    (self.found)(Suspect::Separator(at));
                }
                if mark == b':' && userinfo::may_start(bytes, at) {
                    (self.found)(Suspect::Url(at));
                }
            }
        }
    }

    #[inline]
    fn is_key(&self, at: usize) -> bool {
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
    }

    fn dashes(&mut self, at: usize) {
        if literal::may_be_pem(self.bytes, at) {
            (self.found)(Suspect::Pem(at));
        } else if flag::name_end(self.bytes, at)
            .is_some_and(|end| self.names.may_name(&self.bytes[..end]).is_some())
        {
            (self.found)(Suspect::Flag(at));
        }
    }
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
    mark: u64,
    spot: u64,
    veil: u64,
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
            mark: classes.mark,
            spot: classes.spot,
            veil: classes.veil,
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
