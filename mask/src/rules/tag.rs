//! XML elements whose name is sensitive: `<ns:Cvv type="x">123</ns:Cvv>`, with or without CDATA or elements inside.

use crate::names::{Class, Names};
use crate::pass::Pass;
use crate::rules::pan;

/// Longer names are none that could be sensitive.
const NAME_LEN_MAX: usize = 64;

/// A start tag with its attributes is expected to end within this.
const TAG_LEN_MAX: usize = 1024;

/// Elements inside a sensitive one; behind these its end is not looked for, so that no input costs more than linear time.
const INNER_TAGS_MAX: usize = 32;

/// The class of the element whose `<` is at `at`, and where its name ends.
pub(crate) fn class(text: &[u8], names: &Names, at: usize) -> Option<(Class, usize)> {
    let is_name = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b':');
    let len = text[at + 1..].iter().take(NAME_LEN_MAX).take_while(is_name).count();
    let end = at + 1 + len;
    let class = names.class(&text[at + 1..end])?;
    (class != Class::Label).then_some((class, end))
}

/// Masks the text inside the element whose `<` is at `at`.
pub(crate) fn element(pass: &mut Pass<'_>, at: usize) {
    let text = pass.text;
    let Some((class, name_end)) = class(text, pass.names, at) else { return };
    // `Option<Token>` is a type, not an element.
    if at.checked_sub(1).is_some_and(|before| text[before].is_ascii_alphanumeric() || text[before] == b':') {
        return;
    }
    let Some(len) = text[name_end..].iter().take(TAG_LEN_MAX).position(|&b| b == b'>') else { return };
    let start = name_end + len + 1;
    if text[start - 2] == b'/' {
        return;
    }
    let Some(end) = end_of_element(text, &text[at + 1..name_end], start) else { return };
    let mut at = start;
    while at < end {
        let (text_start, text_end) = text_node(text, at, end);
        pass.text_node(class, text_start, text_end);
        at = text[text_end..end].iter().position(|&b| b == b'>').map_or(end, |len| text_end + len + 1);
    }
    // What is inside a card is not removed, so an element such as its CVV must still be looked at.
    if class != Class::Pan {
        pass.done = pass.done.max(end);
    }
}

/// Where the end tag starts; the end of the text when an XML document is cut inside the element.
fn end_of_element(text: &[u8], name: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    for _ in 0..INNER_TAGS_MAX {
        let Some(len) = text[at..].iter().position(|&b| b == b'<') else {
            let is_document = text.trim_ascii_start().starts_with(b"<");
            return is_document.then_some(text.len());
        };
        at += len;
        if text[at + 1..].strip_prefix(b"/").is_some_and(|rest| rest.starts_with(name)) {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// The text from `at` to the next tag, or inside a CDATA section.
fn text_node(text: &[u8], at: usize, end: usize) -> (usize, usize) {
    const CDATA: &[u8] = b"<![CDATA[";
    if text[at..end].starts_with(CDATA) {
        let start = at + CDATA.len();
        let len = text[start..end].windows(3).position(|window| window == b"]]>");
        return (start, len.map_or(end, |len| start + len));
    }
    (at, text[at..end].iter().position(|&b| b == b'<').map_or(end, |len| at + len))
}

impl Pass<'_> {
    fn text_node(&mut self, class: Class, start: usize, end: usize) {
        let node = &self.text[start..end];
        let start = start + node.len() - node.trim_ascii_start().len();
        let end = start + node.trim_ascii().len();
        if start == end {
            return;
        }
        match class {
            Class::Pan => self.edits.extend(pan::announced(self.text, start, end, self.options.pan)),
            _ => self.secret(class, start, end, None),
        }
    }
}
