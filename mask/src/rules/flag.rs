//! Command lines: `--password hunter2` and, as a list of arguments, `"--password","hunter2"`.

use crate::names::Class;
use crate::pass::Pass;
use crate::place::{Quote, Value, bare_end, skip_space, value};

/// Words that follow a flag in prose about it, not on a command line.
const PROSE: &[&[u8]] = &[
    b"a",
    b"an",
    b"and",
    b"are",
    b"as",
    b"can",
    b"flag",
    b"for",
    b"from",
    b"has",
    b"if",
    b"in",
    b"instead",
    b"is",
    b"may",
    b"must",
    b"not",
    b"option",
    b"or",
    b"parameter",
    b"argument",
    b"should",
    b"so",
    b"that",
    b"the",
    b"to",
    b"was",
    b"when",
    b"with",
    b"you",
    b"your",
];

/// The end of the flag's name that starts at `start`, if a value can follow.
pub(crate) fn name_end(text: &[u8], start: usize) -> Option<usize> {
    let len = text[start..]
        .iter()
        .take(48)
        .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        .count();
    let end = start + len;
    let value_follows = matches!(text.get(end), Some(b' ' | b'\t' | b'"' | b'\'' | b'\\' | b'\n'));
    (len > 1 && value_follows).then_some(end)
}

/// Masks the argument of the flag whose name starts at `start`, behind its dashes.
pub(crate) fn argument(pass: &mut Pass<'_>, start: usize) {
    let text = pass.text;
    let Some(end) = name_end(text, start) else { return };
    let class = pass.names.class(&text[start..end]);
    let Some(class @ (Class::Sad | Class::Credential | Class::Header)) = class else { return };
    let Some(from) = list_item(text, end).or_else(|| spaced(text, end)) else { return };
    match value(text, from, false) {
        Some(Value::Quoted { start, end }) => pass.secret(class, start, end, None),
        Some(Value::Bare { start }) => {
            let end = bare_end(text, start);
            let word = &text[start..end];
            if !word.starts_with(b"-") && !PROSE.iter().any(|prose| prose == &word) {
                pass.secret(class, start, end, None);
            }
        }
        Some(Value::Nested { .. }) | None => {}
    }
}

fn spaced(text: &[u8], end: usize) -> Option<usize> {
    let at = skip_space(text, end, false);
    (at > end).then_some(at)
}

/// `--password", "`: the next item of a list.
fn list_item(text: &[u8], end: usize) -> Option<usize> {
    let quote = Quote::at(text, end)?;
    let comma = skip_space(text, end + quote.len(), true);
    (text.get(comma) == Some(&b',')).then(|| skip_space(text, comma + 1, true))
}
