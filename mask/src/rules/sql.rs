//! SQL that keeps names and values apart: `INSERT INTO cards (pan, cvv) VALUES ('4111…', '123')`, `cvv IN ('1', '2')`.

use crate::names::{Class, Names};
use crate::pass::Pass;
use crate::place::{Quote, key_end, skip_space};
use crate::rules::nested;

/// Columns that are looked at; a longer list is no statement about cards.
const COLUMNS_MAX: usize = 64;

/// A column's name, its quotes included.
const COLUMN_LEN_MAX: usize = 80;

/// The name of a table with its schema and their quotes.
const TABLE_LEN_MAX: usize = 96;

/// Whether sensitive columns may be listed, or values of one, in the bracket at `at`.
#[inline]
pub(crate) fn may_start(text: &[u8], names: &Names, at: usize) -> bool {
    let Some(before) = at.checked_sub(1).map(|i| text[i]) else { return false };
    if !matches!(before, b' ' | b'\n' | b'`' | b'"' | b']') && !before.is_ascii_alphanumeric() {
        return false;
    }
    in_key(text, at).is_some_and(|key| names.may_name(&text[..key]).is_some())
        || is_into(text, at) && columns(text, names, at).is_some()
}

/// Masks what belongs to sensitive columns in the statement whose bracket is at `at`.
pub(crate) fn mask(pass: &mut Pass<'_>, at: usize) {
    let text = pass.text;
    if let Some(key) = in_key(text, at) {
        if let Some(class) = pass.names.class(&text[..key]).filter(|class| *class != Class::Label) {
            nested::mask(pass, class, at, None);
        }
        return;
    }
    if at < pass.listed || !is_into(text, at) {
        return;
    }
    let Some((columns, end)) = columns(text, pass.names, at) else { return };
    let mut next = skip_space(text, end, true);
    if !starts_with_word(&text[next..], b"values") {
        return;
    }
    next += b"values".len();
    while let Some(end) = row(pass, &columns, skip_space(text, next, true)) {
        pass.listed = end;
        let comma = skip_space(text, end, true);
        if text.get(comma) != Some(&b',') {
            break;
        }
        next = comma + 1;
    }
}

/// The end of the key in `key IN (`.
fn in_key(text: &[u8], at: usize) -> Option<usize> {
    let word = text[..at].trim_ascii_end();
    let (rest, end) = word.split_at(word.len().checked_sub(3)?);
    let is_in = matches!(end, [space, b'I' | b'i', b'N' | b'n'] if space.is_ascii_whitespace());
    is_in.then(|| key_end(text, rest.trim_ascii_end().len()).end)
}

/// Whether `INTO` and the name of a table stand before the bracket at `at`.
fn is_into(text: &[u8], at: usize) -> bool {
    let before = text[at.saturating_sub(TABLE_LEN_MAX)..at].trim_ascii_end();
    let is_name = |b: &&u8| b.is_ascii_alphanumeric() || b"_.$`\"[]\\".contains(b) || **b >= 0x80;
    let name = before.iter().rev().take_while(is_name).count();
    let Some(into) = before[..before.len() - name].trim_ascii_end().last_chunk::<4>() else { return false };
    name > 0 && into.eq_ignore_ascii_case(b"into")
}

/// The classes of the columns that the bracket at `at` lists, and where it ends; `None` without a sensitive one.
fn columns(text: &[u8], names: &Names, at: usize) -> Option<(Vec<Option<Class>>, usize)> {
    let mut classes = Vec::new();
    let mut start = at + 1;
    while classes.len() < COLUMNS_MAX {
        let near = &text[start..text.len().min(start + COLUMN_LEN_MAX)];
        let len = near.iter().position(|b| b",)(".contains(b))?;
        let quote = |b: &u8| b.is_ascii_whitespace() || b"`\"'[]\\".contains(b);
        let name = &near[..len];
        let end = name.iter().rposition(|b| !quote(b)).map_or(0, |last| last + 1);
        classes.push(names.class(&name[..end]).filter(|class| *class != Class::Label));
        start += len + 1;
        match near[len] {
            b',' => {}
            b')' => return classes.iter().any(Option::is_some).then_some((classes, start)),
            _ => return None,
        }
    }
    None
}

/// Masks one row of values, whose bracket is at `at`; where it ends.
fn row(pass: &mut Pass<'_>, columns: &[Option<Class>], at: usize) -> Option<usize> {
    let text = pass.text;
    let (mut at, mut column, mut depth) = ((text.get(at) == Some(&b'(')).then_some(at + 1)?, 0, 0_usize);
    loop {
        let class = columns.get(column).copied().flatten();
        match *text.get(at)? {
            b',' if depth == 0 => (column, at) = (column + 1, at + 1),
            b')' if depth == 0 => return Some(at + 1),
            b'(' => (depth, at) = (depth + 1, at + 1),
            b')' => (depth, at) = (depth - 1, at + 1),
            b'\'' | b'"' | b'\\' => match Quote::at(text, at) {
                Some(quote) => {
                    let start = at + quote.len();
                    let (end, closed) = quote.close(text, start);
                    class.inspect(|class| pass.secret(*class, start, end, None));
                    at = if closed { end + quote.len() } else { text.len() };
                }
                None => at += 1,
            },
            b if b.is_ascii_digit() => {
                let is_number = |b: &&u8| b.is_ascii_alphanumeric() || **b == b'.';
                let end = at + text[at..].iter().take_while(is_number).count();
                let is_literal = !text[at - 1].is_ascii_alphanumeric() && !b"$?:@_".contains(&text[at - 1]);
                class.filter(|_| is_literal).inspect(|class| pass.secret(*class, at, end, None));
                at = end;
            }
            _ => at += 1,
        }
    }
}

fn starts_with_word(text: &[u8], word: &[u8]) -> bool {
    text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}
