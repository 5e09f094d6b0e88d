//! What may stand between the digit groups of one card number.

/// Where the text goes on after the separator at `at`; `None` when there is none.
#[inline]
pub(crate) fn after(text: &[u8], at: usize) -> Option<usize> {
    let len = match text[at..] {
        [b' ', b'-', b' ', ..] | [b'+', b'-', b'+', ..] => 3,
        [b' ', b' ', ..] => 2,
        [b' ' | b'-' | b'.' | b'_' | b'/' | b'+' | b'\t', ..] => 1,
        // In queries: space, hyphen, no-break space and tab.
        [b'%', b'2', b'0' | b'D' | b'd', ..] | [b'%', b'0', b'9', ..] => 3,
        [b'%', b'C' | b'c', b'2', b'%', b'A' | b'a', b'0', ..] => 6,
        // In strings of JSON: tab.
        [b'\\', b't', ..] => 2,
        [b'&', b'n', b'b', b's', b'p', b';', ..] | [b'&', b'#', b'1', b'6', b'0', b';', ..] => 6,
        // no-break space, soft hyphen
        [0xc2, 0xa0 | 0xad, ..] => 2,
        // all spaces of U+2000–200B, hyphens and dashes of U+2010–2015, narrow no-break space
        [0xe2, 0x80, 0x80..=0x8b | 0x90..=0x95 | 0xaf, ..] => 3,
        // minus, ideographic space
        [0xe2, 0x88, 0x92, ..] | [0xe3, 0x80, 0x80, ..] => 3,
        _ => return None,
    };
    Some(at + len)
}
