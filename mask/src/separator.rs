//! What may stand between the digit groups of one card number.

/// Where the text goes on after the separator at `at`; `None` when there is none.
#[inline]
pub(crate) fn after(text: &[u8], at: usize) -> Option<usize> {
    let len = match text[at..] {
        [b' ', b'-', b' ', ..] => 3,
        [b' ', b' ', ..] => 2,
        [b' ' | b'-' | b'.' | b'_' | b'/' | b'+' | b'\t', ..] => 1,
        [b'%', b'2', b'0', ..] => 3,
        // no-break space
        [0xc2, 0xa0, ..] => 2,
        // thin and narrow no-break space, hyphen, no-break hyphen, en dash
        [0xe2, 0x80, 0x89 | 0xaf | 0x90 | 0x91 | 0x93, ..] => 3,
        _ => return None,
    };
    Some(at + len)
}
