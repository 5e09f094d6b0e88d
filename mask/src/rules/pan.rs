//! Card numbers: an issuer's prefix, a length that this issuer uses, and the Luhn check digit.

use std::ops::Range;

use crate::config::PanOutput;
use crate::edit::Edit;
use crate::issuers::{LENGTH_MAX, LENGTH_MIN, issues};
use crate::kept;
use crate::names::Names;
use crate::place::{Quote, skip_space};
use crate::report::Rule;
use crate::rules::track;
use crate::scan::RUN_MIN;
use crate::separator;

/// How cards print their number: the sizes of the groups, longest first where one starts like another.
const GROUPINGS: &[&[usize]] =
    &[&[4, 4, 4, 4, 3], &[4, 4, 4, 4, 2], &[4, 4, 4, 4, 1], &[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4]];

/// Hexadecimal text of this length or more is an id or a hash, and digits inside it are no card.
const HEX_TOKEN_MIN: usize = 24;

/// A masked number hides at least five digits: the four behind its stars are its end, not the start of another one.
const HIDDEN: &[u8] = b"*****";

/// The card number that is exactly the run of digits `start..end`, and the track data behind it.
pub(crate) fn run(
    text: &[u8],
    (start, end): (usize, usize),
    numbers: &Names,
    output: PanOutput,
    edits: &mut Vec<Edit>,
) {
    let digits = &text[start..end];
    if !(RUN_MIN..=LENGTH_MAX).contains(&digits.len()) || !is_card(digits) {
        return;
    }
    let other = is_fraction(text, start)
        || is_phone(text, start, end)
        || in_hex_token(text, start, end)
        || is_rare(digits) && is_keyed(text, start, numbers);
    if !other {
        edits.push(shown(text, start, end, output));
        edits.extend(track::behind(text, end));
    }
}

/// Whether one of `keys` announces what starts at `start`.
fn is_keyed(text: &[u8], start: usize, keys: &Names) -> bool {
    kept::key_before(text, start).is_some_and(|key| keys.class(key).is_some())
}

/// Whether `digits` are a card number only if Maestro issues what it may, but hardly does: of numbers with 13, 14, 15
/// or 17 digits in its ranges nearly all are something else.
pub(crate) fn is_rare(digits: &[u8]) -> bool {
    matches!(digits.len(), 13..=15 | 17)
        && digits.iter().all(u8::is_ascii_digit)
        && matches!(digits, [b'5', b'0' | b'6'..=b'9', ..] | [b'6', ..])
}

/// The card number whose first group of four digits ends before `first_end`.
pub(crate) fn groups(text: &[u8], first_end: usize, output: PanOutput) -> Option<Edit> {
    let start = first_end.checked_sub(4)?;
    let alone = start.checked_sub(1).is_none_or(|before| !text[before].is_ascii_digit());
    if !alone || is_fraction(text, start) || text[..start].ends_with(HIDDEN) {
        return None;
    }
    let end = GROUPINGS.iter().find_map(|grouping| grouped(text, start, grouping))?;
    Some(shown(text, start, end, output))
}

/// The end of a card number of just these groups, all with the same separator between them.
fn grouped(text: &[u8], start: usize, grouping: &[usize]) -> Option<usize> {
    let separator = &text[start + 4..separator::after(text, start + 4)?];
    let mut digits = [0; LENGTH_MAX];
    let (mut len, mut at) = (0, start);
    for (i, &size) in grouping.iter().enumerate() {
        if i > 0 {
            at += text[at..].starts_with(separator).then_some(separator.len())?;
        }
        let group = text.get(at..at + size).filter(|group| group.iter().all(u8::is_ascii_digit))?;
        digits[len..len + size].copy_from_slice(group);
        (len, at) = (len + size, at + size);
    }
    let ends = text.get(at).is_none_or(|b| !b.is_ascii_digit());
    (ends && is_card(&digits[..len])).then_some(at)
}

/// Whether ASCII `digits` can be an account number without any hint from around it.
pub(crate) fn is_card(digits: &[u8]) -> bool {
    let prefix = digits[..4].iter().fold(0, |prefix, &d| prefix * 10 + usize::from(d - b'0'));
    digits.len() > LENGTH_MIN && issues(prefix, digits.len()) && luhn(digits)
}

/// The check of ISO/IEC 7812-1, annex B.
fn luhn(digits: &[u8]) -> bool {
    let doubled = |d: u8| if d < 5 { 2 * d } else { 2 * d - 9 };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, &d)| u32::from(if i % 2 == 1 { doubled(d - b'0') } else { d - b'0' }))
        .sum();
    sum.is_multiple_of(10)
}

/// `0.4111111111111111` is a fraction.
fn is_fraction(text: &[u8], start: usize) -> bool {
    matches!(text[..start], [.., digit, b'.'] if digit.is_ascii_digit())
}

/// `+62…` with at most the 15 digits of E.164 is a phone number, unless the plus is a space in a query.
fn is_phone(text: &[u8], start: usize, end: usize) -> bool {
    let plus = match text[..start] {
        [b'+'] => true,
        [.., before, b'+'] => !before.is_ascii_alphanumeric() && !matches!(before, b'=' | b'+'),
        _ => false,
    };
    plus && end - start <= 15
}

/// Whether `start..end` is a piece of an id or a hash. A token that starts with it may be a chip's track 2 instead.
fn in_hex_token(text: &[u8], start: usize, end: usize) -> bool {
    let is_hex = |b: &&u8| b.is_ascii_hexdigit();
    let before = text[..start].iter().rev().take(HEX_TOKEN_MIN).take_while(is_hex).count();
    let behind = text[end..].iter().take(HEX_TOKEN_MIN).take_while(is_hex).count();
    before + (end - start) + behind >= HEX_TOKEN_MIN && !(before == 0 && track::is_chip(text, end))
}

/// The edit that leaves of `start..end` what `output` allows, separators as they are.
pub(crate) fn shown(text: &[u8], start: usize, end: usize, output: PanOutput) -> Edit {
    let number = &text[start..end];
    let digits = digit_places(number);
    let keep = |i| match output {
        PanOutput::First6Last4 => i < 6 && digits.len() >= 15 || i + 4 >= digits.len(),
        PanOutput::Last4 => i + 4 >= digits.len(),
        PanOutput::Full => false,
    };
    let mut put = number.to_vec();
    for (i, &at) in digits.iter().enumerate() {
        if !keep(i) {
            put[at] = b'*';
        }
    }
    Edit { start, end, rule: Rule::Pan, put, quote: json_quote(text, start, end), user: None }
}

/// Where the digits of a number stand; those of a `%20` or `&#160;` are none of them.
fn digit_places(number: &[u8]) -> Vec<usize> {
    let mut places = Vec::with_capacity(LENGTH_MAX);
    let mut at = 0;
    while at < number.len() {
        match number[at] {
            b'%' => at += 3,
            b'&' => at += 6,
            b => {
                if b.is_ascii_digit() {
                    places.push(at);
                }
                at += 1;
            }
        }
    }
    places
}

/// The value of a key that announces a card number. No check digit is asked for; what is too short for a whole
/// number, such as a cut one, is hidden to the last digit.
pub(crate) fn announced(text: &[u8], start: usize, end: usize, output: PanOutput) -> Option<Edit> {
    let value = text[start..end].trim_ascii();
    let digits = digit_places(value).len();
    if announced_end(value, 0) != value.len() || digits < ANNOUNCED_MIN {
        return None;
    }
    let output = if digits < LENGTH_MIN { PanOutput::Full } else { output };
    Some(shown(text, start, end, output))
}

/// Digits from which on the value of a card number key is masked: six are an issuer's prefix, four the usual last four.
const ANNOUNCED_MIN: usize = 7;

/// The end of the digits and single separators that start at `start`.
pub(crate) fn announced_end(text: &[u8], start: usize) -> usize {
    let mut end = start;
    while end - start < ANNOUNCED_LEN_MAX {
        let next = if end > start { separator::after(text, end).unwrap_or(end) } else { end };
        match text.get(next) {
            Some(b) if b.is_ascii_digit() => end = next + 1,
            _ => break,
        }
    }
    end
}

/// Nineteen digits in five groups with wide separators are shorter.
const ANNOUNCED_LEN_MAX: usize = 48;

/// The quote that must go around a masked number at `start..end`, if that stands in JSON as a number.
///
/// It does if a quoted key and a colon stand before it, or the bracket of an array that does, and JSON goes on behind it.
fn json_quote(text: &[u8], start: usize, end: usize) -> Option<Range<usize>> {
    let behind = skip_space(text, end, true);
    if !matches!(text.get(behind), None | Some(b',' | b'}' | b']')) {
        return None;
    }
    let mut at = before_space(text, start);
    if matches!(text[..at], [.., b',' | b'[']) {
        let is_item = |b: &&u8| b.is_ascii_digit() || b" \t\r\n,.*-\"\\".contains(b);
        at -= text[..at].iter().rev().take(ARRAY_LEN_MAX).take_while(is_item).count();
        at = before_space(text, text[..at].strip_suffix(b"[")?.len());
    }
    let key = before_space(text, text[..at].strip_suffix(b":")?.len());
    let quote = Quote::before(text, key).filter(|quote| quote.sign == b'"')?;
    Some(key - quote.len()..key)
}

/// How far before a number in an array the array's start is looked for.
const ARRAY_LEN_MAX: usize = 512;

fn before_space(text: &[u8], at: usize) -> usize {
    at - text[..at].iter().rev().take(64).take_while(|b| b.is_ascii_whitespace()).count()
}
