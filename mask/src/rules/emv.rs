//! Card numbers in the tag-length-value data of chips, as hexadecimal text: `5A 08 PAN` and `57 13 PAN D…`.
//!
//! Such text looks like any other id; only tag, length, issuer and check digit together make it a card.

use crate::issuers::{LENGTH_MAX, LENGTH_MIN};
use crate::pass::Pass;
use crate::rules::{pan, track};

/// Looks for tag 5A or 57 around the run of digits `start..end` inside a token of hexadecimal digits.
pub(crate) fn around(pass: &mut Pass<'_>, start: usize, end: usize) {
    let text = pass.text;
    if let Some((from, to)) = account(text, start) {
        pass.edits.push(pan::shown(text, from, to, pass.options.pan));
    }
    if let Some(from) = track2(text, start, end) {
        pass.edits.push(pan::shown(text, from, end, pass.options.pan));
        pass.edits.extend(track::behind(text, end));
    }
}

/// `5A`, the length in bytes, the number, and an `F` where its digits are odd. A letter of tag or length ends any
/// digits before it.
fn account(text: &[u8], start: usize) -> Option<(usize, usize)> {
    let (from, bytes) = match text[..start] {
        [.., b'5', b'A' | b'a', b'0', b'A' | b'a'] => (start, 10),
        [.., b'5', b'A' | b'a'] => (start + 2, length(text.get(start..start + 2)?)?),
        _ => return None,
    };
    let field = text.get(from..from + 2 * bytes)?;
    let digits = field.strip_suffix(b"F").or(field.strip_suffix(b"f")).unwrap_or(field);
    is_card(digits).then_some((from, from + digits.len()))
}

/// `57`, the length in bytes, the number, and `D` with the rest of the track.
fn track2(text: &[u8], start: usize, end: usize) -> Option<usize> {
    let is_tagged = |from: &usize| {
        let tag = &text[from - 4..*from];
        tag.starts_with(b"57") && length(&tag[2..]).is_some() && is_card(&text[*from..end])
    };
    let in_run = |len: usize| end.checked_sub(len).filter(|from| *from >= start.max(2) + 2 && *from >= 4);
    track::is_chip(text, end).then(|| (LENGTH_MIN..=LENGTH_MAX).filter_map(in_run).find(is_tagged))?
}

fn is_card(digits: &[u8]) -> bool {
    (LENGTH_MIN..=LENGTH_MAX).contains(&digits.len())
        && digits.iter().all(u8::is_ascii_digit)
        && pan::is_card(digits)
}

/// A length of 7 to 19 bytes, in hexadecimal digits: tag 57 holds at most 19, tag 5A at most 10.
fn length(digits: &[u8]) -> Option<usize> {
    let length = usize::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    (7..=19).contains(&length).then_some(length)
}
