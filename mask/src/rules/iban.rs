//! International bank account numbers (ISO 13616): a country's length and the check by remainder 97.

use crate::edit::Edit;
use crate::report::Rule;
use crate::separator;

/// Countries and the lengths of their numbers, as registered with SWIFT.
#[rustfmt::skip]
const COUNTRIES: &[(&[u8; 2], u8)] = &[
    (b"AD", 24), (b"AE", 23), (b"AL", 28), (b"AT", 20), (b"AZ", 28), (b"BA", 20), (b"BE", 16), (b"BG", 22),
    (b"BH", 22), (b"BI", 27), (b"BR", 29), (b"BY", 28), (b"CH", 21), (b"CR", 22), (b"CY", 28), (b"CZ", 24),
    (b"DE", 22), (b"DJ", 27), (b"DK", 18), (b"DO", 28), (b"EE", 20), (b"EG", 29), (b"ES", 24), (b"FI", 18),
    (b"FK", 18), (b"FO", 18), (b"FR", 27), (b"GB", 22), (b"GE", 22), (b"GI", 23), (b"GL", 18), (b"GR", 27),
    (b"GT", 28), (b"HN", 28), (b"HR", 21), (b"HU", 28), (b"IE", 22), (b"IL", 23), (b"IQ", 23), (b"IS", 26),
    (b"IT", 27), (b"JO", 30), (b"KW", 30), (b"KZ", 20), (b"LB", 28), (b"LC", 32), (b"LI", 21), (b"LT", 20),
    (b"LU", 20), (b"LV", 21), (b"LY", 25), (b"MC", 27), (b"MD", 24), (b"ME", 22), (b"MK", 19), (b"MN", 20),
    (b"MR", 27), (b"MT", 31), (b"MU", 30), (b"NI", 28), (b"NL", 18), (b"NO", 15), (b"OM", 23), (b"PK", 24),
    (b"PL", 28), (b"PS", 29), (b"PT", 25), (b"QA", 29), (b"RO", 24), (b"RS", 22), (b"RU", 33), (b"SA", 24),
    (b"SC", 31), (b"SD", 18), (b"SE", 24), (b"SI", 19), (b"SK", 24), (b"SM", 27), (b"SO", 23), (b"ST", 25),
    (b"SV", 28), (b"TL", 23), (b"TN", 24), (b"TR", 26), (b"UA", 29), (b"VA", 22), (b"VG", 24), (b"XK", 20),
    (b"YE", 30),
];

/// The longest number of any country.
const LENGTH_MAX: usize = 34;

/// Whether a number may start at `start`, where two letters and two digits stand; looks at its own bytes only.
#[inline]
pub(crate) fn may_start(text: &[u8], start: usize) -> bool {
    length(text, start).is_some() && member(text, start + 4, b"").is_some()
}

fn length(text: &[u8], start: usize) -> Option<usize> {
    let country = text.get(start..start + 2)?;
    let (_, length) = COUNTRIES.iter().find(|(code, _)| code[..] == *country)?;
    Some(usize::from(*length))
}

/// The place of the letter or digit at `at`, or behind one separator there (only `separator` if that is not empty).
fn member(text: &[u8], at: usize, separator: &[u8]) -> Option<usize> {
    let is_member = |at: usize| text.get(at).is_some_and(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
    if is_member(at) {
        return Some(at);
    }
    let next = separator::after(text, at)?;
    let same = separator.is_empty() || text[at..next] == *separator;
    (same && is_member(next)).then_some(next)
}

/// The account number that starts at `start`.
pub(crate) fn number(text: &[u8], start: usize) -> Option<Edit> {
    let length = length(text, start)?;
    if start.checked_sub(1).is_some_and(|before| text[before].is_ascii_alphanumeric()) {
        return None;
    }
    let mut places = [0; LENGTH_MAX];
    let (mut at, mut separator): (usize, &[u8]) = (start, b"");
    for (i, place) in places[..length].iter_mut().enumerate() {
        let next = member(text, at, separator)?;
        // Groups have four members; a separator elsewhere ends the number.
        if next > at {
            if i % 4 != 0 || i == 0 {
                return None;
            }
            separator = &text[at..next];
        }
        *place = next;
        at = next + 1;
    }
    let ends = text.get(at).is_none_or(|b| !b.is_ascii_alphanumeric());
    (ends && remainder(text, &places[..length]) == 1).then(|| hidden(text, start, at, &places[4..length - 4]))
}

/// The number modulo 97, its first four characters moved to the end and letters read as 10 to 35.
fn remainder(text: &[u8], places: &[usize]) -> u32 {
    places[4..].iter().chain(&places[..4]).fold(0, |rest, &place| match text[place] {
        digit @ b'0'..=b'9' => (rest * 10 + u32::from(digit - b'0')) % 97,
        letter => (rest * 100 + u32::from(letter - b'A') + 10) % 97,
    })
}

/// Country, check digits and the last four stay.
fn hidden(text: &[u8], start: usize, end: usize, places: &[usize]) -> Edit {
    let mut put = text[start..end].to_vec();
    for &place in places {
        put[place - start] = b'*';
    }
    Edit { start, end, rule: Rule::Iban, put, quote: None, user: None }
}
