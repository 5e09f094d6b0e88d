//! The one scan: where in any bytes something *may* be a secret.
//!
//! What a suspect is depends only on bytes inside the secret itself, so more text before or behind can add suspects
//! but never remove one. That is why a scan over a whole encoded request finds all that a scan of each string finds.

use crate::classify::{BLOCK, Classes, classify};
use crate::separator;

/// Something that may be a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Suspect {
    /// At least [`RUN_MIN`] digits in `start..end`, as many as there are.
    Run { start: usize, end: usize },
    /// Four digits or more that end here, a separator, and more groups.
    Groups { first_end: usize },
}

/// Digits in the shortest card number that is looked for without a key that announces it; 13 are often a timestamp.
pub(crate) const RUN_MIN: usize = 14;

/// Calls `found` for each suspect in `bytes`, in ascending order.
pub(crate) fn suspects(bytes: &[u8], mut found: impl FnMut(Suspect)) {
    let mut runs = Runs::default();
    let mut base = 0;
    let mut blocks = bytes.chunks_exact(BLOCK);
    for block in &mut blocks {
        let block = block.try_into().expect("chunks_exact gives whole blocks");
        visit(bytes, base, runs.step(&classify(block)), &mut found);
        base += BLOCK;
    }
    let rest = blocks.remainder();
    // Padded, so that digits at the very end are followed by something.
    let mut last = [0; BLOCK];
    last[..rest.len()].copy_from_slice(rest);
    visit(bytes, base, runs.step(&classify(&last)), &mut found);
}

fn visit(bytes: &[u8], base: usize, ends: Ends, found: &mut impl FnMut(Suspect)) {
    let mut bits = ends.four;
    while bits != 0 {
        let bit = bits & bits.wrapping_neg();
        bits ^= bit;
        let end = base + bit.trailing_zeros() as usize;
        if ends.long & bit != 0 {
            found(Suspect::Run { start: start_of_digits(bytes, end), end });
        }
        if may_be_grouped(bytes, end) {
            found(Suspect::Groups { first_end: end });
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

/// Where runs of digits end: bits stand at the first byte behind the run.
#[derive(Debug, Clone, Copy)]
struct Ends {
    /// behind four digits or more
    four: u64,
    /// behind [`RUN_MIN`] digits or more; a subset of `four`
    long: u64,
}

/// Finds runs of digits across blocks by shifting masks; holds the previous block's.
#[derive(Debug, Default)]
struct Runs {
    one: u64,
    two: u64,
    four: u64,
    eight: u64,
    fourteen: u64,
}

impl Runs {
    fn step(&mut self, classes: &Classes) -> Ends {
        let one = classes.digit;
        let two = one & shifted(one, self.one, 1);
        let four = two & shifted(two, self.two, 2);
        let eight = four & shifted(four, self.four, 4);
        let fourteen = eight & shifted(eight, self.eight, 6);
        let ends = Ends {
            four: shifted(four, self.four, 1) & !one,
            long: shifted(fourteen, self.fourteen, 1) & !one,
        };
        *self = Runs { one, two, four, eight, fourteen };
        ends
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
        suspects(text.as_bytes(), |suspect| all.push(suspect));
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
