//! ISO 8583 messages as jPOS and others print them: `<field id="52" value="…"/>`. The number says what the field holds.

use crate::names::Class;
use crate::pass::Pass;
use crate::rules::pan;

const ELEMENT: &[u8] = b"<field ";

/// A field with its value is shorter.
const FIELD_LEN_MAX: usize = 2048;

/// Whether a field may start at the `<` at `at`.
pub(crate) fn may_start(text: &[u8], at: usize) -> bool {
    text[at..].starts_with(ELEMENT)
}

/// Masks the value of the field whose `<` is at `at`, if its number is one of track data, PIN or card number.
pub(crate) fn field(pass: &mut Pass<'_>, at: usize) {
    let text = pass.text;
    if !may_start(text, at) {
        return;
    }
    let near = &text[at..text.len().min(at + FIELD_LEN_MAX)];
    let tag = near.iter().position(|&b| b == b'>').map_or(near, |end| &near[..end]);
    let (Some((start, end)), Some(value)) = (attribute(tag, b" id="), attribute(tag, b" value=")) else {
        return;
    };
    let (from, to) = (at + value.0, at + value.1);
    match &tag[start..end] {
        b"2" | b"02" | b"002" => pass.edits.extend(pan::announced(text, from, to, pass.options.pan)),
        b"35" | b"035" | b"36" | b"036" | b"45" | b"045" | b"52" | b"052" => {
            pass.secret(Class::Sad, from, to, None);
        }
        _ => {}
    }
}

/// Where the quoted value of an attribute stands.
fn attribute(tag: &[u8], name: &[u8]) -> Option<(usize, usize)> {
    let open = tag.windows(name.len()).position(|window| window == name)? + name.len();
    let (start, quote) = match tag[open..] {
        [b'\\', sign @ (b'"' | b'\''), ..] => (open + 2, sign),
        [sign @ (b'"' | b'\''), ..] => (open + 1, sign),
        _ => return None,
    };
    let len = tag[start..].iter().position(|&b| b == quote || b == b'\\')?;
    Some((start, start + len))
}
