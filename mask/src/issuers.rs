//! Who issues which card numbers: prefixes and lengths, as data.
//!
//! Local schemes inside a wider range (Elo, Hipercard, Verve, Dankort, RuPay 60 and 65) need no row of their own.

/// One scheme: account numbers starting with `from ..= to`, of the given lengths.
struct Issuer {
    from: u16,
    to: u16,
    lengths: &'static [u8],
}

/// A row of the table. `from` and `to` are 1 to 4 digits and have equally many.
const fn issuer(from: u16, to: u16, lengths: &'static [u8]) -> Issuer {
    Issuer { from, to, lengths }
}

/// Prefixes that start with 1 (UATP) are left out on purpose: timestamps in milliseconds and microseconds look like them.
const ISSUERS: &[Issuer] = &[
    issuer(4, 4, &[13, 16, 19]),                   // Visa
    issuer(51, 55, &[16]),                         // Mastercard
    issuer(2221, 2720, &[16]),                     // Mastercard, 2-series
    issuer(34, 34, &[15]),                         // American Express
    issuer(37, 37, &[15]),                         // American Express
    issuer(300, 305, &[14, 16, 17, 18, 19]),       // Diners Club
    issuer(309, 309, &[14, 16, 17, 18, 19]),       // Diners Club
    issuer(36, 36, &[14, 16, 17, 18, 19]),         // Diners Club
    issuer(38, 39, &[14, 16, 17, 18, 19]),         // Diners Club
    issuer(3528, 3589, &[16, 17, 18, 19]),         // JCB
    issuer(6011, 6011, &[16, 17, 18, 19]),         // Discover
    issuer(644, 649, &[16, 17, 18, 19]),           // Discover
    issuer(65, 65, &[16, 17, 18, 19]),             // Discover, RuPay, Troy, Elo
    issuer(62, 62, &[16, 17, 18, 19]),             // UnionPay
    issuer(81, 81, &[16, 17, 18, 19]),             // UnionPay, RuPay
    issuer(82, 82, &[16]),                         // RuPay
    issuer(50, 50, &[13, 14, 15, 16, 17, 18, 19]), // Maestro, Elo, Verve, Dankort, RuPay
    issuer(56, 69, &[13, 14, 15, 16, 17, 18, 19]), // Maestro
    issuer(2200, 2204, &[16, 17, 18, 19]),         // Mir
    issuer(9792, 9792, &[16]),                     // Troy
    issuer(8600, 8600, &[16]),                     // Uzcard
    issuer(9860, 9860, &[16]),                     // Humo
];

/// The shortest and the longest account number that any issuer uses here.
pub(crate) const LENGTH_MIN: usize = 13;
pub(crate) const LENGTH_MAX: usize = 19;

/// By the first four digits: bit `n - 13` stands for the length `n`.
static LENGTHS: [u8; 10_000] = by_prefix();

/// Whether a number that starts with `prefix` can have `length` digits.
pub(crate) fn issues(prefix: usize, length: usize) -> bool {
    (LENGTH_MIN..=LENGTH_MAX).contains(&length) && LENGTHS[prefix] & (1 << (length - LENGTH_MIN)) != 0
}

const fn by_prefix() -> [u8; 10_000] {
    let mut table = [0; 10_000];
    let mut row = 0;
    while row < ISSUERS.len() {
        let issuer = &ISSUERS[row];
        let unit = unit_of(issuer.from);
        let mut prefix = issuer.from as usize * unit;
        while prefix < (issuer.to as usize + 1) * unit {
            let mut i = 0;
            while i < issuer.lengths.len() {
                table[prefix] |= 1 << (issuer.lengths[i] as usize - LENGTH_MIN);
                i += 1;
            }
            prefix += 1;
        }
        row += 1;
    }
    table
}

/// How many four-digit prefixes one prefix of this many digits covers.
const fn unit_of(prefix: u16) -> usize {
    match prefix {
        0..=9 => 1000,
        10..=99 => 100,
        100..=999 => 10,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuer_ranges_end_where_the_schemes_end() {
        let check = |prefix, length, want| assert_eq!(issues(prefix, length), want, "{prefix} with {length}");
        check(4111, 16, true);
        check(4111, 15, false);
        check(5099, 16, true);
        check(5100, 16, true);
        check(5599, 16, true);
        check(5599, 19, false);
        check(2220, 16, false);
        check(2221, 16, true);
        check(2720, 16, true);
        check(2721, 16, false);
        check(2205, 16, false);
        check(3527, 16, false);
        check(3400, 15, true);
        check(3400, 16, false);
        check(1000, 16, false);
        check(7000, 16, false);
        check(9792, 16, true);
        check(4111, 20, false);
    }
}
