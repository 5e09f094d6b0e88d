//! Where keys and values stand around a separator, in all the ways in which logs, bodies and dumps write them.
//!
//! Text inside a JSON string has its quotes escaped, once per level: a [`Quote`] is a quote sign with its backslashes.

use std::ops::Range;

use crate::edit::MASKED;
use crate::placeholder;

/// A quote sign and the number of backslashes before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quote {
    pub sign: u8,
    pub escapes: usize,
}

impl Quote {
    /// The quote that starts at `at`, backslashes first.
    pub(crate) fn at(text: &[u8], at: usize) -> Option<Quote> {
        let escapes = text.get(at..)?.iter().take_while(|&&b| b == b'\\').count();
        let sign = *text.get(at + escapes)?;
        is_quote(sign).then_some(Quote { sign, escapes })
    }

    /// The quote that ends before `end`.
    pub(crate) fn before(text: &[u8], end: usize) -> Option<Quote> {
        let (&sign, rest) = text[..end].split_last()?;
        let escapes = rest.iter().rev().take_while(|&&b| b == b'\\').count();
        is_quote(sign).then_some(Quote { sign, escapes })
    }

    pub(crate) fn len(self) -> usize {
        self.escapes + 1
    }

    /// Where the content that starts at `start` ends, and whether its quote is closed there.
    ///
    /// One level deeper each backslash and quote is escaped once more, so with n backslashes before the opening
    /// quote, a run of them before a sign closes when n are left after pairs of n + 1. Fewer than n close a string
    /// around this one. A doubled `''` is SQL's way to write one.
    pub(crate) fn close(self, text: &[u8], start: usize) -> (usize, bool) {
        let mut run = 0;
        let mut at = start;
        while let Some(&b) = text.get(at) {
            if b == b'\\' {
                run += 1;
            } else {
                if b == self.sign {
                    let doubled = b == b'\'' && at > start && text.get(at + 1) == Some(&b);
                    if run < self.escapes {
                        return (at - run, false);
                    }
                    if doubled {
                        at += 1;
                    } else if run % (2 * (self.escapes + 1)) == self.escapes {
                        return (at - self.escapes, true);
                    }
                }
                run = 0;
            }
            at += 1;
        }
        (text.len(), false)
    }
}

fn is_quote(b: u8) -> bool {
    matches!(b, b'"' | b'\'' | b'`')
}

/// What stands before a separator.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeyEnd {
    /// The key's text ends before this.
    pub end: usize,
    pub quote: Option<Quote>,
    /// `["key"]`, `card[key]`: a dump or a form field
    pub bracket: bool,
}

/// Spaces that align a column of keys; more are no key's.
const PADDING_MAX: usize = 24;

/// A class name in `[pin:Shop\Card:private]`; longer ones are not looked behind.
pub(crate) const CLASS_NAME_MAX: usize = 128;

/// The end of the key before the separator at `at`.
#[inline]
pub(crate) fn key_end(text: &[u8], at: usize) -> KeyEnd {
    let last = |end: usize| end.checked_sub(1).map(|i| text[i]);
    let mut end = at;
    if last(end).is_some_and(|b| b.is_ascii_alphanumeric() && !matches!(b, b'D' | b'd')) {
        return KeyEnd { end, quote: None, bracket: false };
    }
    while at - end < PADDING_MAX && matches!(last(end), Some(b' ' | b'\t')) {
        end -= 1;
    }
    let unbracketed = match text[..end] {
        [.., b']'] => Some(end - 1),
        [.., b'%', b'5', b'D' | b'd'] => Some(end - 3),
        _ => None,
    };
    if let Some(inside) = unbracketed {
        end = without_visibility(text, inside);
    }
    let quote = Quote::before(text, end);
    end -= quote.map_or(0, Quote::len);
    KeyEnd { end, quote, bracket: unbracketed.is_some() }
}

/// PHP dumps write `[pin:protected]`, `[pin:Card:private]` and, by `var_dump`, `["pin":"Card":private]`.
fn without_visibility(text: &[u8], end: usize) -> usize {
    let key = &text[..end];
    if let Some(key) = key.strip_suffix(b":protected") {
        return key.len();
    }
    let Some(key) = key.strip_suffix(b":private") else { return end };
    let class = key.iter().rev().take(CLASS_NAME_MAX).position(|&b| b == b':' || b == b'[');
    match class {
        Some(len) if key[key.len() - len - 1] == b':' => key.len() - len - 1,
        _ => key.len(),
    }
}

/// Where the spaces from `at` on end; with `lines` also line ends, plain or as `\n` inside a string.
pub(crate) fn skip_space(text: &[u8], mut at: usize, lines: bool) -> usize {
    loop {
        at += match text[at..] {
            [b' ' | b'\t', ..] => 1,
            [b'\r' | b'\n', ..] if lines => 1,
            [b'\\', b'n' | b'r' | b't', ..] if lines => 2,
            _ => return at,
        };
    }
}

/// A value whose key is written as JSON, a dump, a form or a log line writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value {
    /// The content of quotes, and whether they are closed.
    Quoted { start: usize, end: usize },
    /// A number or a word.
    Bare { start: usize },
    /// A `{` or `[` stands here.
    Nested { start: usize },
}

/// Steps through wrappers such as `Some(`, `string(3) `, `(string) (len=3) `; more are no value's.
const WRAPPERS_MAX: usize = 3;

/// The value that starts at or after `from`; `None` when there is none.
pub(crate) fn value(text: &[u8], from: usize, lines: bool) -> Option<Value> {
    let mut at = skip_space(text, from, lines);
    for _ in 0..WRAPPERS_MAX {
        at = match unwrapped(text, at) {
            Some(inside) => skip_space(text, inside, true),
            None => break,
        };
    }
    if let [b'b' | b'B' | b'u' | b'U' | b'r' | b'f', b'"' | b'\'', ..] = text[at..] {
        at += 1; // Python's bytes and other literals
    }
    if text[at..].starts_with(MASKED) {
        return None;
    }
    if let Some(quote) = Quote::at(text, at) {
        let start = at + quote.len();
        let end = dumped_end(text, at, quote).unwrap_or_else(|| quote.close(text, start).0);
        return Some(Value::Quoted { start, end });
    }
    if placeholder::end(text, at).is_some() {
        return None;
    }
    match text.get(at)? {
        b'{' | b'[' => Some(Value::Nested { start: at }),
        _ => Some(structure(text, at).unwrap_or(Value::Bare { start: at })),
    }
}

/// The end of the string whose quote is at `at` behind `string(18) `: PHP dumps do not escape quotes, but count.
fn dumped_end(text: &[u8], at: usize, quote: Quote) -> Option<usize> {
    let before = text[..at].strip_suffix(b") ")?;
    let digits = before.iter().rev().take(5).take_while(|b| b.is_ascii_digit()).count();
    let (name, count) = before.split_at(before.len() - digits);
    name.ends_with(b"string(").then(|| counted_end(text, at + quote.len(), count, quote))?
}

/// Where the text that starts at `start` ends, if its quote stands behind as many bytes as `count` says.
pub(crate) fn counted_end(text: &[u8], start: usize, count: &[u8], quote: Quote) -> Option<usize> {
    let len: usize = std::str::from_utf8(count).ok()?.parse().ok()?;
    let end = start.checked_add(len)?;
    let closes = quote.escapes == 0 && text.get(end) == Some(&quote.sign);
    let stops = text.get(end + 1).is_none_or(|&b| b <= b' ' || b",;)]}\\".contains(&b));
    (closes && stops).then_some(end)
}

/// `Inner { v: "x" }` of Rust and `main.Inner{V:"x"}` of Go: the bracket behind a type's name.
fn structure(text: &[u8], at: usize) -> Option<Value> {
    let is_name = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.');
    let name = text[at..].iter().take(TYPE_NAME_MAX).take_while(is_name).count();
    let start = skip_space(text, at + name, false);
    let is_type = text[at..at + name].iter().any(u8::is_ascii_uppercase) && start <= at + name + 1;
    (is_type && text.get(start) == Some(&b'{')).then_some(Value::Nested { start })
}

/// Longer names are no type's.
const TYPE_NAME_MAX: usize = 48;

/// Behind `Some(`, `int(`, `string(3) ` or `(string) `; dumps of arrays and objects hold keys of their own.
fn unwrapped(text: &[u8], at: usize) -> Option<usize> {
    let name = text[at..].iter().take(24).take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
    let open = at + name;
    if text.get(open) != Some(&b'(') || matches!(text[at..open], [b'a', b'r', ..] | [b'o', b'b', ..]) {
        return None;
    }
    let inside = open + 1;
    let inner =
        text[inside..].iter().take(24).take_while(|b| b.is_ascii_alphanumeric() || **b == b'=').count();
    let is_type = match text[inside + inner..] {
        [b')', b' ', ..] => name == 0 || text[inside..inside + inner].iter().all(u8::is_ascii_digit),
        _ => false,
    };
    match (is_type, name) {
        (true, _) => Some(inside + inner + 2),
        (false, 0) => None,
        (false, _) => Some(inside),
    }
}

/// The end of the number or word that starts at `start`.
///
/// Commas, semicolons and closing brackets end it only where something of the next field follows: passwords hold them too.
pub(crate) fn bare_end(text: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(&b) = text.get(at) {
        let ends = match b {
            b'"' | b'\'' | b'`' => !is_inside_word(text, start, at..at + 1),
            b'<' | b'>' | b'&' => true,
            b'\\' => match Quote::at(text, at) {
                Some(quote) if is_inside_word(text, start, at..at + quote.len()) => {
                    at += quote.len();
                    continue;
                }
                _ => matches!(text.get(at + 1), Some(b'n' | b'r' | b't' | b'"' | b'\'' | b'\\')),
            },
            b',' | b';' | b'|' => starts_field(text, at + 1),
            b')' | b']' | b'}' => ends_field(text, at + 1),
            _ => b <= b' ' || text[at..].starts_with(b"\xc2\xa0"),
        };
        if ends {
            break;
        }
        at += 1;
    }
    at
}

/// Whether the `quote` stands between letters or digits, as no quote around a text does: `pa"ss`.
pub(crate) fn is_inside_word(text: &[u8], start: usize, quote: Range<usize>) -> bool {
    quote.start > start
        && text[quote.start - 1].is_ascii_alphanumeric()
        && text.get(quote.end).is_some_and(u8::is_ascii_alphanumeric)
}

/// Letters in a field's name behind a comma; a longer one is taken for a part of the value.
const FIELD_NAME_MAX: usize = 32;

/// Whether a new field, or nothing, starts at `at`: a space, the end, or `name=`.
fn starts_field(text: &[u8], at: usize) -> bool {
    let Some(&b) = text.get(at) else { return true };
    if b <= b' ' || matches!(b, b'"' | b'\'' | b'\\' | b'}' | b']') {
        return true;
    }
    let name = text[at..]
        .iter()
        .take(FIELD_NAME_MAX)
        .take_while(|b| b.is_ascii_alphanumeric() || b"_-. ".contains(b))
        .count();
    name > 0 && matches!(text.get(at + name), Some(b'=' | b':' | b'"' | b'\''))
}

/// Whether a bracket before `at` closes something outside of the value.
fn ends_field(text: &[u8], at: usize) -> bool {
    text.get(at).is_none_or(|&b| b <= b' ' || b",;.)]}>\"'`\\<&|".contains(&b))
}

/// Whether a value says nothing, or is masked already.
pub(crate) fn is_void(value: &[u8]) -> bool {
    let words: [&[u8]; 17] = [
        b"true",
        b"false",
        b"null",
        b"none",
        b"nil",
        b"undefined",
        b"array",
        b"<nil>",
        b"n/a",
        b"(null)",
        b"{}",
        b"[]",
        b"redacted",
        b"[redacted]",
        b"<redacted>",
        b"[filtered]",
        b"filtered",
    ];
    value.iter().all(|&b| b == b'*')
        || value.starts_with(MASKED)
        || placeholder::is_placeholder(value)
        || words.iter().any(|word| value.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_closes_at_its_own_depth_only() {
        let check = |text: &str, want: &str, closed: bool| {
            let quote = Quote::at(text.as_bytes(), 0).unwrap();
            let (end, is_closed) = quote.close(text.as_bytes(), quote.len());
            assert_eq!((&text[quote.len()..end], is_closed), (want, closed), "{text}");
        };
        check(r#""abc" x"#, "abc", true);
        check(r#""a\"c" x"#, r#"a\"c"#, true);
        check(r#""a\\" x"#, r"a\\", true);
        check(r#"\"abc\" x"#, "abc", true);
        check(r#"\"a\\\"c\" x"#, r#"a\\\"c"#, true);
        check(r#"\"abc" x"#, "abc", false);
        check(r#"\\\"abc\\\" x"#, "abc", true);
        check("'it''s' x", "it''s", true);
        check("'' x", "", true);
        check(r#""abc"#, "abc", false);
    }

    #[test]
    fn bare_values_end_where_the_next_field_starts() {
        let check =
            |text: &str, want: &str| assert_eq!(&text[..bare_end(text.as_bytes(), 0)], want, "{text}");
        check("123&x=1", "123");
        check("123, pin: 4", "123");
        check("1,pin=4", "1");
        check("a,b;c)d&x", "a,b;c)d");
        check("x;Server=y", "x");
        check("123)", "123");
        check("123}, x", "123");
        check(r"123\n", "123");
    }

    #[test]
    fn the_key_is_found_behind_its_wrapping() {
        let check = |text: &str, want: &str| {
            let end = key_end(text.as_bytes(), text.len()).end;
            assert!(text[..end].ends_with(want), "{text}: {}", &text[..end]);
        };
        check("cvv", "cvv");
        check("\"cvv\"", "cvv");
        check("\\\\\\\"cvv\\\\\\\" ", "cvv");
        check("card[cvv]", "cvv");
        check("card%5Bcvv%5D", "cvv");
        check("[\"cvv\"]", "cvv");
        check("[pin:protected] ", "pin");
        check("[pin:Shop\\Card:private] ", "pin");
        check("[\"pin\":\"Card\":private]", "pin");
        check("[\"pin\":protected]", "pin");
    }
}
