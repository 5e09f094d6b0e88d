//! The values of sensitive keys inside a text: JSON at any depth of escaping, forms, headers, DSNs, dumps, debug output.

use crate::edit::Edit;
use crate::names::{Class, NAME_LEN_MAX};
use crate::pass::Pass;
use crate::place::{self, CLASS_NAME_MAX, KeyEnd, Quote, Value, bare_end, is_void, key_end};
use crate::report::Rule;
use crate::rules::{named, nested, pan, prose};

/// Masks the value behind the `:` or `=` at `at` if the key before it is sensitive.
pub(crate) fn separator(pass: &mut Pass<'_>, at: usize) {
    let text = pass.text;
    let Some(from) = value_start(text, at) else { return };
    if named::is_serialized(text, at) {
        return named::serialized(pass, at);
    }
    let key = key_end(text, at);
    let Some(class) = pass.names.class(&text[..key.end]) else { return };
    if class == Class::Label {
        return named::label(pass, at, from);
    }
    let arrow = text[at] == b'=' && from == at + 2;
    let lines = key.quote.is_some() || arrow;
    if arrow && key.bracket && key.quote.is_none() {
        return to_end_of_line(pass, class, from);
    }
    let Some(value) = place::value(text, from, lines) else { return };
    if key.quote.is_none() && closes_around(text, value) || is_visibility(text, value) {
        return;
    }
    // Only JSON needs a string where a number was; PHP, Python and Ruby write their dumps for people.
    let json = key.quote.filter(|quote| text[at] == b':' && quote.sign == b'"').map(|_| key.end);
    match value {
        Value::Quoted { start, end } => pass.secret(class, start, end, None),
        Value::Nested { start } => nested::mask(pass, class, start, json),
        Value::Bare { start } if class == Class::Header && json.is_none() => {
            header(pass, key, start, text[at] == b'=');
        }
        Value::Bare { start } => match argument_end(text, key.end, start) {
            Some(end) => pass.secret(class, start, end, None),
            None => bare(pass, class, start, json, in_query(text, key.end)),
        },
    }
}

/// `"--password=two words"`: where the string that starts with the flag ends.
fn argument_end(text: &[u8], key_end: usize, start: usize) -> Option<usize> {
    let is_name = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let name = text[..key_end].iter().rev().take(NAME_LEN_MAX).take_while(is_name).count();
    let flag = key_end - name;
    let quote = Quote::before(text, flag).filter(|_| text[flag..].starts_with(b"--"))?;
    Some(quote.close(text, start).0)
}

/// Where a value may start behind the separator at `at`; `None` when it is part of an operator or a path.
pub(crate) fn value_start(text: &[u8], at: usize) -> Option<usize> {
    let before = at.checked_sub(1).map(|i| text[i]);
    let next = text.get(at + 1).copied();
    match (text[at], next) {
        (b':', Some(b':')) | (b'=', Some(b'=' | b'~')) => None,
        (b':', _) if before == Some(b':') => None,
        (b'=', _) if matches!(before, Some(b'=' | b'!' | b'<' | b'>' | b'~' | b':')) => None,
        (b':', Some(b'=')) | (b'=' | b'-', Some(b'>')) => Some(at + 2),
        _ => Some(at + 1),
    }
}

/// `"password="` at the end of a string: the quote that seems to open a value closes the string around the key.
fn closes_around(text: &[u8], value: Value) -> bool {
    let Value::Quoted { start, .. } = value else { return false };
    text.get(start).is_none_or(|b| b",}])\n".contains(b))
}

/// `["pin":"Card":private]`, `[pin:Card:private]`, `[pin:protected]`: PHP dumps say so between a key and its value.
fn is_visibility(text: &[u8], value: Value) -> bool {
    match value {
        Value::Quoted { end, .. } => {
            text[end..].starts_with(b"\":private]") || text[end..].starts_with(b"\\\":private]")
        }
        Value::Bare { start } => {
            let name =
                text[start..].iter().take(CLASS_NAME_MAX).take_while(|&&b| b > b' ' && b != b']').count();
            let word = &text[start..start + name];
            text.get(start + name) == Some(&b']')
                && (word == b"protected" || word == b"private" || word.ends_with(b":private"))
        }
        Value::Nested { .. } => false,
    }
}

/// A word, or the rest of a number in groups.
fn bare(pass: &mut Pass<'_>, class: Class, start: usize, json: Option<usize>, query: bool) {
    let text = pass.text;
    if class == Class::Pan {
        let end = pan::announced_end(text, start);
        return pass.secret(class, start, end, json);
    }
    if let Some(end) = block_end(text, start) {
        return pass.secret(class, start, end, None);
    }
    let mut end = bare_end(text, start);
    if query {
        end = text[start..end].iter().position(|&b| b == b'#').map_or(end, |len| start + len);
    }
    if class == Class::Credential && fills_line(text, start, end) {
        end = line_end(text, start, None);
    }
    let word = &text[start..end];
    // Codes and track data hold digits; "pin: wrong" and "track: the path" are prose.
    let prose = class == Class::Sad && word.len() < PROSE_LEN_MAX && !word.iter().any(u8::is_ascii_digit);
    if !prose
        && !prose::follows_key(word)
        && !is_parameter(pass, start, word)
        && !is_directory(text, start, word)
    {
        pass.secret(class, start, end, json);
    }
}

/// No word is this long; what is goes, and is passed over only once.
const PROSE_LEN_MAX: usize = 64;

/// The end of YAML's block scalar whose `|` or `>` is at `start`: the lines behind it that are indented.
fn block_end(text: &[u8], start: usize) -> Option<usize> {
    let mark = text.get(start..)?;
    let sign = mark.iter().take(4).take_while(|b| b"|>+-0123456789".contains(b)).count();
    let (b'|' | b'>', [b'\n', ..] | [b'\r', b'\n', ..]) = (mark[0], mark.get(sign..)?) else { return None };
    let key = text[..start].iter().rposition(|&b| b == b'\n').map_or(0, |line| line + 1);
    let indent = |line: &[u8]| line.iter().take_while(|&&b| b == b' ').count();
    let outside = indent(&text[key..]);
    let (mut at, mut end) = (start + sign, start + sign);
    for line in text[at..].split_inclusive(|&b| b == b'\n') {
        let content = line.trim_ascii();
        if !content.is_empty() && indent(line) <= outside {
            break;
        }
        if !content.is_empty() {
            end = at + line.trim_ascii_end().len();
        }
        at += line.len();
    }
    Some(end)
}

/// Whether the value `start..end` goes on behind a space, in a line of `name: value` among such lines.
fn fills_line(text: &[u8], start: usize, end: usize) -> bool {
    if text.get(end) != Some(&b' ') || !text[..start].ends_with(b": ") {
        return false;
    }
    let from = text[..start].iter().rev().take(LINE_START_MAX).position(|&b| b == b'\n');
    let line = from.map_or(start.saturating_sub(LINE_START_MAX), |len| start - len);
    let next = text[end..].iter().take(LINE_START_MAX).position(|&b| b == b'\n').map(|len| end + len + 1);
    let is_alone = starts_with_name(&text[line..]) == Some(start - line);
    is_alone && next.and_then(|next| starts_with_name(&text[next..])).is_some()
}

/// The start of a line up to its value, and a value, are shorter where lines are looked at.
const LINE_START_MAX: usize = 512;

/// The length of `name: ` at the start of `line`.
fn starts_with_name(line: &[u8]) -> Option<usize> {
    let indent = line.iter().take(64).take_while(|b| b" -".contains(b)).count();
    let is_name = |b: &&u8| b.is_ascii_alphanumeric() || b"_-.".contains(b);
    let name = line[indent..].iter().take(NAME_LEN_MAX).take_while(is_name).count();
    (name > 0 && line[indent + name..].starts_with(b": ")).then_some(indent + name + 2)
}

/// `password = :password`, `pwd = @Pwd`, `pin = :p1`: a statement's parameter, named as what it stands for.
fn is_parameter(pass: &Pass<'_>, start: usize, word: &[u8]) -> bool {
    let (Some((b':' | b'@', name)), [.., b' ']) = (word.split_first(), &pass.text[..start]) else {
        return false;
    };
    let is_numbered = matches!(name, [b'p' | b'P', number @ ..] if number.iter().all(u8::is_ascii_digit));
    is_numbered || pass.names.class(name).is_some()
}

/// `PWD=/srv/app` of a shell's environment.
fn is_directory(text: &[u8], start: usize, value: &[u8]) -> bool {
    let is_variable =
        |key: &[u8]| !key.last().is_some_and(|b| b.is_ascii_alphanumeric() || b";_-.".contains(b));
    value.starts_with(b"/") && text[..start].strip_suffix(b"PWD=").is_some_and(is_variable)
}

/// Whether the key that ends at `end` stands in a URL's query, where a `#` ends its value.
fn in_query(text: &[u8], end: usize) -> bool {
    let is_key = |b: &&u8| b.is_ascii_alphanumeric() || b"_-.[]%".contains(b);
    let len = text[..end].iter().rev().take(NAME_LEN_MAX).take_while(is_key).count();
    matches!(text[..end - len], [.., b'?' | b'&'])
}

/// `[cvv] => 123` of `print_r`: the value fills its line.
fn to_end_of_line(pass: &mut Pass<'_>, class: Class, from: usize) {
    let text = pass.text;
    let start = place::skip_space(text, from, false);
    let end = if class == Class::Pan { pan::announced_end(text, start) } else { line_end(text, start, None) };
    pass.secret(class, start, end, None);
}

/// `Authorization: Digest username="x", response="y"`: the rest of the line, but not of the string around it.
fn header(pass: &mut Pass<'_>, key: KeyEnd, start: usize, form: bool) {
    if let Some(end) = block_end(pass.text, start) {
        return pass.secret(Class::Header, start, end, None);
    }
    let around = key.quote.is_none().then(|| quote_around(pass.text, key.end)).flatten();
    let mut end = line_end(pass.text, start, around);
    if form {
        end = pass.text[start..end].iter().position(|&b| b == b'&').map_or(end, |len| start + len);
    }
    pass.secret(Class::Header, start, end, None);
}

/// The quote that opens directly before the key that ends at `end`: it is the header line's, not the key's.
fn quote_around(text: &[u8], end: usize) -> Option<Quote> {
    let name = text[..end].iter().rev().take_while(|b| b.is_ascii_alphanumeric() || **b == b'-').count();
    Quote::before(text, end - name)
}

/// The end of the line, or of the string that the line stands in.
fn line_end(text: &[u8], start: usize, around: Option<Quote>) -> usize {
    if let Some(quote) = around {
        let (end, _) = quote.close(text, start);
        return line_end(&text[..end], start, None);
    }
    let mut at = start;
    while let Some(&b) = text.get(at) {
        match b {
            b'\r' | b'\n' | b'<' => break,
            b'\\' if matches!(text.get(at + 1), Some(b'r' | b'n')) => break,
            b'"' if place::is_inside_word(text, start, at..at + 1) => at += 1,
            b'"' | b'\\' => match Quote::at(text, at) {
                Some(quote) if quote.sign == b'"' => {
                    let inside = at + quote.len();
                    if !opens_parameter(text, at, inside) {
                        break;
                    }
                    let (end, closed) = quote.close(text, inside);
                    at = if closed { end + quote.len() } else { end };
                }
                _ => at += 1,
            },
            _ => at += 1,
        }
    }
    at
}

/// `realm="x`: a quote that opens a parameter, not one behind the padding of base64.
fn opens_parameter(text: &[u8], quote: usize, inside: usize) -> bool {
    let named = matches!(text[..quote], [.., name, b'='] if name.is_ascii_alphanumeric());
    named && text.get(inside).is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'-'))
}

impl Pass<'_> {
    /// Masks the value `start..end` of a key of `class`. `json` is where the key's closing quote stands when the
    /// value must become a string.
    pub(crate) fn secret(&mut self, class: Class, start: usize, end: usize, json: Option<usize>) {
        let text = self.text;
        let value = &text[start..end];
        if is_void(value) {
            return;
        }
        let edit = match class {
            Class::Pan => pan::announced(text, start, end, self.options.pan),
            Class::Sad => Some(Edit::remove(start, end, Rule::Sad)),
            Class::Credential | Class::Header => Some(Edit::remove(start, end, Rule::Key)),
            Class::Label | Class::Number | Class::Harmless => None,
        };
        let Some(mut edit) = edit else { return };
        edit.quote = json.and_then(|at| Some(at..at + Quote::at(text, at)?.len()));
        if class != Class::Pan {
            self.done = self.done.max(end);
        }
        self.edits.push(edit);
    }
}
