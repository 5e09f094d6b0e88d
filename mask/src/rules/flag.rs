//! Command lines: `--password hunter2` and, as a list of arguments, `"--password","hunter2"`.

use crate::edit::MASKED;
use crate::names::{Class, Names};
use crate::pass::Pass;
use crate::place::{Quote, Value, bare_end, skip_space, value};
use crate::rules::prose;

/// The end of the flag's name that starts at `start`, if a value can follow.
#[inline]
pub(crate) fn name_end(text: &[u8], start: usize) -> Option<usize> {
    if !text.get(start)?.is_ascii_alphabetic() {
        return None;
    }
    let len = text[start..]
        .iter()
        .take(48)
        .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        .count();
    let end = start + len;
    let value_follows = matches!(text.get(end), Some(b' ' | b'\t' | b'"' | b'\'' | b'\\' | b'\n'));
    value_follows.then_some(end)
}

/// Whether the flag `start..end` may have a secret behind it.
pub(crate) fn may_be(text: &[u8], names: &Names, start: usize, end: usize) -> bool {
    names.may_name(&text[start..end]).is_some() || is_user(&text[start..end])
}

/// `curl -u joe:secret`, `--user joe:secret`
fn is_user(name: &[u8]) -> bool {
    matches!(name, b"u" | b"user" | b"proxy-user")
}

/// Masks the argument of the flag whose name starts at `start`, behind its dashes.
pub(crate) fn argument(pass: &mut Pass<'_>, start: usize) {
    let text = pass.text;
    let Some(end) = name_end(text, start) else { return };
    // `my-token x` is a word with a dash.
    let word = text[..start].iter().rev().position(|&b| b != b'-').map(|dashes| text[start - 1 - dashes]);
    if word.is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.') || b >= 0x80) {
        return;
    }
    let class = match pass.names.class(&text[start..end]) {
        Some(class @ (Class::Pan | Class::Sad | Class::Credential | Class::Header)) => class,
        None if is_user(&text[start..end]) => return user(pass, end),
        _ => return,
    };
    let Some(from) = list_item(text, end).or_else(|| spaced(text, end)) else { return };
    match value(text, from, false) {
        Some(Value::Quoted { start, end }) => pass.secret(class, start, end, None),
        Some(Value::Bare { start }) => {
            let end = bare_end(text, start);
            let word = &text[start..end];
            if !word.starts_with(b"-") && !prose::follows_flag(word) {
                pass.secret(class, start, end, None);
            }
        }
        Some(Value::Nested { .. }) | None => {}
    }
}

/// Behind the colon of `joe:secret`; `1000:1000` are the numbers of a user and a group.
fn user(pass: &mut Pass<'_>, end: usize) {
    let text = pass.text;
    let Some(from) = list_item(text, end).or_else(|| spaced(text, end)) else { return };
    let (start, end) = match value(text, from, false) {
        Some(Value::Quoted { start, end }) => (start, end),
        Some(Value::Bare { start }) => (start, bare_end(text, start)),
        _ => return,
    };
    let Some(colon) = text[start..end].iter().position(|&b| b == b':') else { return };
    let password = start + colon + 1;
    if text[password..].starts_with(MASKED) {
        return;
    }
    let is_secret = text[password..end].iter().any(|b| !b.is_ascii_digit() && *b != b' ');
    if colon > 0 && is_secret {
        pass.secret(Class::Credential, password, end, None);
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
