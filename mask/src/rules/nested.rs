//! Objects and arrays under a sensitive key: every scalar inside is masked, names and structure stay.

use crate::edit::MASKED;
use crate::names::Class;
use crate::pass::Pass;
use crate::place::{Quote, skip_space};

/// Masks all that the bracket at `start` holds, to its counterpart or to the end.
///
/// `json` is where the closing quote of the key stands, in JSON.
pub(crate) fn mask(pass: &mut Pass<'_>, class: Class, start: usize, json: Option<usize>) {
    let text = pass.text;
    // A card number key around this one has asked the same of all that is inside.
    if class == Class::Pan && start < pass.walked {
        return;
    }
    let mut depth = 0_usize;
    let mut at = start;
    while at < text.len() {
        if text[at..].starts_with(MASKED) {
            at += MASKED.len();
            continue;
        }
        match text[at] {
            b'{' | b'[' | b'(' => (depth, at) = (depth + 1, at + 1),
            b'}' | b']' | b')' => (depth, at) = (depth - 1, at + 1),
            b',' | b':' | b'=' | b'>' | b' ' | b'\t' | b'\r' | b'\n' => at += 1,
            b'\\' if matches!(text.get(at + 1), Some(b'n' | b'r' | b't')) => at += 2,
            _ => match scalar(pass, class, at, json) {
                Some(end) => at = end,
                None => break,
            },
        }
        if depth == 0 {
            break;
        }
    }
    // What is inside a card is not removed, so a key such as its CVV must still be looked at.
    let passed = if class == Class::Pan { &mut pass.walked } else { &mut pass.done };
    *passed = at.min(text.len()).max(*passed);
}

/// Masks one string, number or word unless it is a name; where it ends, or `None` when the string around ends here.
fn scalar(pass: &mut Pass<'_>, class: Class, at: usize, json: Option<usize>) -> Option<usize> {
    let text = pass.text;
    let depth = json.and_then(|quote| Quote::at(text, quote)).map_or(0, |quote| quote.escapes);
    let (start, end, next) = match Quote::at(text, at) {
        Some(quote) if quote.escapes < depth => return None,
        Some(quote) => {
            let start = at + quote.len();
            let (end, closed) = quote.close(text, start);
            (start, end, if closed { end + quote.len() } else { end })
        }
        None => {
            let len = text[at..].iter().take_while(|b| !is_structure(**b)).count().max(1);
            let end = at + len + padding(&text[at + len..]);
            (at, end, end)
        }
    };
    let behind = skip_space(text, next, true);
    let is_name = matches!(text.get(behind), Some(b':' | b'=' | b'{' | b'(')) && end < text.len();
    if !is_name {
        pass.secret(class, start, end, if start == at { json } else { None });
    }
    Some(next)
}

/// The `=` at the end of base64, where no value follows.
fn padding(text: &[u8]) -> usize {
    let len = text.iter().take(3).take_while(|&&b| b == b'=').count();
    let ends = text.get(len).is_none_or(|b| b",]}) \t\r\n".contains(b));
    if ends && len < 3 { len } else { 0 }
}

fn is_structure(b: u8) -> bool {
    b <= b' ' || b"{}[](),:=\"'`\\<>&".contains(&b)
}
