//! What may stand between the digit groups of one card number.

/// The bytes of each separator; of two with the same start the longer comes first.
pub(crate) const SEPARATORS: &[&[u8]] = &[
    b" - ",
    b"  ",
    b" ",
    b"-",
    b".",
    b"_",
    b"/",
    b"+",
    b"\t",
    b"%20",
    b"\xc2\xa0",     // no-break space
    b"\xe2\x80\x89", // thin space
    b"\xe2\x80\xaf", // narrow no-break space
    b"\xe2\x80\x90", // hyphen
    b"\xe2\x80\x91", // no-break hyphen
    b"\xe2\x80\x93", // en dash
];

/// Where the text goes on after the separator at `at`; `None` when there is none.
#[inline]
pub(crate) fn after(text: &[u8], at: usize) -> Option<usize> {
    let first = *text.get(at)?;
    if !matches!(first, b' ' | b'-' | b'.' | b'_' | b'/' | b'+' | b'\t' | b'%' | 0xc2 | 0xe2) {
        return None;
    }
    SEPARATORS
        .iter()
        .find(|separator| text[at..].starts_with(separator))
        .map(|separator| at + separator.len())
}
