//! Pairs written as lists: `["cvv","123"]`, `("password", "x")`, `(b'authorization', b'x')`.
//!
//! A list of two names looks alike, so a pair counts only if its second half can be a secret.

use crate::names::{Class, Names};
use crate::pass::Pass;
use crate::place::{self, Quote, Value, skip_space};

/// A sensitive name is no longer than this, quotes included.
const NAME_LEN_MAX: usize = 64;

/// The name behind a bracket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Name {
    class: Class,
    /// Where its closing quote stands.
    quote: usize,
    /// Where a value starts, behind the comma.
    from: usize,
}

/// The sensitive name behind the bracket at `at`.
#[inline]
pub(crate) fn name(text: &[u8], names: &Names, at: usize) -> Option<Name> {
    if !matches!(text.get(at + 1)?, b'"' | b'\'' | b'\\' | b'b' | b' ' | b'\n' | b'\r') {
        return None;
    }
    let mut at = skip_space(text, at + 1, true);
    at += usize::from(matches!(text[at..], [b'b', b'"' | b'\'', ..]));
    let quote = Quote::at(text, at)?;
    let start = at + quote.len();
    let near = &text[..text.len().min(start + NAME_LEN_MAX)];
    let (end, closed) = quote.close(near, start);
    if !closed {
        return None;
    }
    let comma = skip_space(text, end + quote.len(), true);
    if text.get(comma) != Some(&b',') {
        return None;
    }
    let class = names.class(&text[start..end])?;
    (class != Class::Label).then_some(Name { class, quote: end, from: comma + 1 })
}

/// Masks the second half of the pair whose bracket is at `at`.
pub(crate) fn mask(pass: &mut Pass<'_>, at: usize) {
    let text = pass.text;
    let Some(Name { class, quote, from }) = name(text, pass.names, at) else { return };
    // A number in JSON becomes a string.
    let mut json = (text[at] == b'[').then_some(quote);
    let (start, end, behind) = match place::value(text, from, true) {
        Some(Value::Quoted { start, end }) => {
            let quote = Quote::before(text, start).map_or(1, Quote::len);
            json = None;
            (start, end, text.len().min(end + quote))
        }
        Some(Value::Bare { start }) => {
            let end = place::bare_end(text, start);
            (start, end, end)
        }
        _ => return,
    };
    let closes = matches!(text.get(skip_space(text, behind, true)), Some(b']' | b')'));
    let among_pairs = matches!(text[..at].trim_ascii_end(), [.., b'[' | b',' | b'(']);
    if closes && can_be_secret(pass, class, &text[start..end], among_pairs) {
        let json = json.filter(|&at| Quote::at(text, at).is_some_and(|quote| quote.sign == b'"'));
        pass.secret(class, start, end, json);
    }
}

fn can_be_secret(pass: &Pass<'_>, class: Class, value: &[u8], among_pairs: bool) -> bool {
    let digit = value.iter().any(u8::is_ascii_digit);
    match class {
        Class::Pan | Class::Sad => digit,
        _ => {
            pass.names.class(value).is_none()
                && (digit || among_pairs || value.iter().any(|b| !b.is_ascii_lowercase()))
        }
    }
}
