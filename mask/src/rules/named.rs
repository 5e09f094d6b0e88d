//! Names that stand in a value, and the secret in another: `{"name":"cvv","value":"123"}`,
//! `<param name="cvv" value="123"/>`, `<entry key="cvv">123</entry>`, the parts of a multipart form and what PHP
//! serialized.

use crate::names::{Class, Names};
use crate::pass::Pass;
use crate::place::{self, Quote, Value, skip_space};

/// Keys under which the secret itself stands.
const VALUE_KEYS: &[&[u8]] = &[b"value", b"val", b"content", b"data", b"text"];

/// A sensitive name is no longer than this, quotes and separators included.
const LABEL_LEN_MAX: usize = 64;

/// The class that the quoted text behind a label's separator names, and where its closing quote starts.
pub(crate) fn class(text: &[u8], names: &Names, from: usize) -> Option<(Class, usize)> {
    let at = skip_space(text, from, false);
    let Some(quote) = Quote::at(text, at) else { return bare_class(text, names, from) };
    let start = at + quote.len();
    let near = &text[..text.len().min(start + LABEL_LEN_MAX)];
    let (end, closed) = quote.close(near, start);
    let class = names.class(&text[start..end])?;
    (closed && !matches!(class, Class::Label)).then_some((class, end + quote.len()))
}

/// `Content-Disposition: form-data; name=cvv`, without quotes.
fn bare_class(text: &[u8], names: &Names, from: usize) -> Option<(Class, usize)> {
    if !text[..from].ends_with(b"form-data; name=") {
        return None;
    }
    let is_name = |b: &&u8| b.is_ascii_alphanumeric() || b"_-.[]".contains(b);
    let end = from + text[from..].iter().take(LABEL_LEN_MAX).take_while(is_name).count();
    let class = names.class(&text[from..end])?;
    (!matches!(class, Class::Label)).then_some((class, end))
}

/// Masks the secret that belongs to the name behind `from`, the label's separator being at `at`.
pub(crate) fn label(pass: &mut Pass<'_>, at: usize, from: usize) {
    let Some((class, end)) = class(pass.text, pass.names, from) else { return };
    let text = pass.text;
    if let Some((start, end)) = part(text, end).or_else(|| element(text, end)) {
        pass.secret(class, start, end, None);
    } else if let Some((start, end, json)) = neighbour(text, end).or_else(|| neighbour_before(text, at)) {
        pass.secret(class, start, end, json);
    }
}

/// Whether the `:` at `at` stands before the key of a pair that PHP serialized: `s:3:"cvv";s:3:"123";`.
pub(crate) fn is_serialized(text: &[u8], at: usize) -> bool {
    if text[at] != b':' || !matches!(text.get(at + 1), Some(b'"' | b'\\')) {
        return false;
    }
    let digits = text[..at].iter().rev().take(4).take_while(|b| b.is_ascii_digit()).count();
    digits > 0 && text[..at - digits].ends_with(b"s:")
}

/// Masks the value of the serialized key behind the `:` at `at`.
pub(crate) fn serialized(pass: &mut Pass<'_>, at: usize) {
    let text = pass.text;
    let Some((class, end)) = class(text, pass.names, at + 1) else { return };
    let (b';', Some(kind @ (b's' | b'i' | b'd')), Some(b':')) =
        (text.get(end).copied().unwrap_or(0), text.get(end + 1), text.get(end + 2))
    else {
        return;
    };
    let number = end + 3;
    let digits =
        text[number..].iter().take(LABEL_LEN_MAX).take_while(|b| b.is_ascii_digit() || **b == b'.').count();
    let behind = number + digits;
    if *kind != b's' {
        return pass.secret(class, number, behind, None);
    }
    if let Some(quote) = Quote::at(text, behind + 1).filter(|_| text[behind] == b':') {
        let start = behind + 1 + quote.len();
        let end = place::counted_end(text, start, &text[number..behind], quote);
        pass.secret(class, start, end.unwrap_or_else(|| quote.close(text, start).0), None);
    }
}

/// Other fields or attributes between a name and its value are short.
const BETWEEN_LEN_MAX: usize = 256;

/// `"value":"123"` or `value="123"` behind the label, in the same object or tag.
///
/// With it comes where the closing quote of its key stands, if it is a number in JSON.
fn neighbour(text: &[u8], end: usize) -> Option<(usize, usize, Option<usize>)> {
    let near = text[end..].iter().take(BETWEEN_LEN_MAX).take_while(|b| !b"{}>".contains(b)).count();
    let (quote, from) = (end..end + near).find_map(|at| value_key_end(text, at))?;
    match place::value(text, from, true)? {
        Value::Quoted { start, end } => Some((start, end, None)),
        Value::Bare { start } => Some((start, place::bare_end(text, start), quote)),
        Value::Nested { .. } => None,
    }
}

/// `{"value":"123","name":` and `<input value="123" name=`: the same before the label, which is at `at`.
fn neighbour_before(text: &[u8], at: usize) -> Option<(usize, usize, Option<usize>)> {
    let near = text[..at].iter().rev().take(BETWEEN_LEN_MAX).take_while(|b| !b"{}<>".contains(b)).count();
    if !matches!(text[..at - near], [.., b'{' | b'<']) {
        return None;
    }
    let (quote, from) = (at - near..at).find_map(|at| value_key_end(text, at))?;
    match place::value(text, from, true)? {
        Value::Quoted { start, end } => Some((start, end, None)),
        Value::Bare { start } => Some((start, place::bare_end(text, start), quote)),
        Value::Nested { .. } => None,
    }
}

/// Where the closing quote and behind the separator of a key that announces the value, if one starts at `at`.
fn value_key_end(text: &[u8], at: usize) -> Option<(Option<usize>, usize)> {
    let starts = at > 0 && matches!(text[at - 1], b'"' | b'\'' | b' ' | b',' | b'\n' | b'\t');
    let key = VALUE_KEYS.iter().find(|key| starts && text[at..].starts_with(key))?;
    let behind = at + key.len();
    let quote = Quote::at(text, behind);
    let separator = skip_space(text, behind + quote.map_or(0, Quote::len), false);
    let json = quote.filter(|quote| quote.sign == b'"').map(|_| behind);
    match text.get(separator)? {
        b':' => Some((json, separator + 1)),
        b'=' => Some((None, separator + 1)),
        _ => None,
    }
}

/// Longer texts are no secret's.
const ELEMENT_LEN_MAX: usize = 1024;

/// `>123<` behind the label's attribute.
fn element(text: &[u8], end: usize) -> Option<(usize, usize)> {
    let start = skip_space(text, end, false) + 1;
    if text.get(start - 1) != Some(&b'>') {
        return None;
    }
    let len = text[start..].iter().take(ELEMENT_LEN_MAX).position(|&b| b == b'<')?;
    Some((start, start + len))
}

/// Headers of one part are short.
const PART_HEADERS_MAX: usize = 256;

/// The body of a part of a multipart form: behind an empty line, up to the next boundary.
fn part(text: &[u8], end: usize) -> Option<(usize, usize)> {
    let near = &text[end..text.len().min(end + PART_HEADERS_MAX)];
    let (line, blank): (&[u8], &[u8]) = match near {
        [b'\r', ..] => (b"\r\n--", b"\r\n\r\n"),
        [b'\n', ..] => (b"\n--", b"\n\n"),
        [b'\\', b'r', ..] => (b"\\r\\n--", b"\\r\\n\\r\\n"),
        [b'\\', b'n', ..] => (b"\\n--", b"\\n\\n"),
        _ => return None,
    };
    let start = end + find(near, blank)? + blank.len();
    let near = &text[start..text.len().min(start + ELEMENT_LEN_MAX)];
    let stop = find(near, line).map_or(start + near.len(), |len| start + len);
    Some((start, stop))
}

fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    text.windows(needle.len()).position(|window| window == needle)
}
