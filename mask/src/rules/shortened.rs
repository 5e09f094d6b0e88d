//! Card numbers that a client has masked already, where the daemon shows less: `411111******1111` under `last4`.

use crate::config::PanOutput;
use crate::edit::Edit;
use crate::issuers::{LENGTH_MAX, LENGTH_MIN};
use crate::report::Rule;
use crate::separator;

/// The fewest digits that this engine hides.
const HIDDEN_MIN: usize = 5;

/// The longest separator, and with it the longest number of 19 digits in groups, is shorter.
const LEN_MAX: usize = 64;

/// Whether stars stand beside the digits that end at `end`, at most one separator between them.
#[inline]
pub(crate) fn may_be(text: &[u8], end: usize) -> bool {
    let behind = |at: usize| text.get(at) == Some(&b'*');
    if behind(end) {
        return true;
    }
    let start = start_of_digits(text, end);
    let Some(before) = start.checked_sub(1).map(|i| text[i]) else {
        return separator::after(text, end).is_some_and(|next| behind(next + 2));
    };
    before == b'*'
        || separator_before(text, start).is_some_and(|at| at > 0 && text[at - 1] == b'*')
        || separator::after(text, end).is_some_and(|next| behind(next + 2))
}

/// The edit that takes away digits that `output` does not allow, around the digits that end at `end`.
pub(crate) fn tightened(text: &[u8], end: usize, output: PanOutput) -> Option<Edit> {
    if output == PanOutput::First6Last4 || !may_be(text, end) {
        return None;
    }
    let start = start(text, end);
    let mut places = Vec::with_capacity(LENGTH_MAX);
    let mut at = start;
    while at < text.len() && places.len() <= LENGTH_MAX {
        match text[at] {
            b'*' | b'0'..=b'9' => {
                places.push(at);
                at += 1;
            }
            _ => match separator::after(text, at) {
                Some(next) if text.get(next).is_some_and(is_member) => at = next,
                _ => break,
            },
        }
    }
    let shown = |place: &&usize| text[**place] != b'*';
    let first = places.iter().take_while(shown).count();
    let last = places.iter().rev().take_while(shown).count();
    let hidden = places.len().saturating_sub(first + last);
    let masked = (LENGTH_MIN..=LENGTH_MAX).contains(&places.len())
        && matches!((first, last), (6, 4) | (0, 4))
        && hidden >= HIDDEN_MIN
        && places[first..places.len() - last].iter().all(|&place| text[place] == b'*');
    let keep = if output == PanOutput::Full { 0 } else { 4 };
    let end = places.last()? + 1;
    let mut put = text[start..end].to_vec();
    for &place in places.iter().take(places.len() - keep.min(places.len())) {
        put[place - start] = b'*';
    }
    (masked && put != text[start..end]).then_some(Edit {
        start,
        end,
        rule: Rule::Pan,
        put,
        quote: None,
        user: None,
    })
}

/// Where the stars, digits and separators around the digits that end at `end` start.
fn start(text: &[u8], end: usize) -> usize {
    let mut at = end;
    while end - at < LEN_MAX {
        at = match separator_before(text, at) {
            Some(before) if before > 0 && is_member(&text[before - 1]) => before,
            _ if at > 0 && is_member(&text[at - 1]) => at - 1,
            _ => break,
        };
    }
    at
}

/// Where the digits that end at `end` start; those of a `%20` are none.
fn start_of_digits(text: &[u8], end: usize) -> usize {
    let start = end - text[..end].iter().rev().take(LENGTH_MAX).take_while(|b| b.is_ascii_digit()).count();
    if text[..start].ends_with(b"%") && end - start > 2 { start + 2 } else { start }
}

/// Where the separator that ends before `end` starts.
fn separator_before(text: &[u8], end: usize) -> Option<usize> {
    [6, 3, 2, 1]
        .into_iter()
        .filter_map(|len| end.checked_sub(len))
        .find(|&at| separator::after(text, at) == Some(end))
}

fn is_member(b: &u8) -> bool {
    b.is_ascii_digit() || *b == b'*'
}
