//! The cold path: texts in which digits, quotes or separators are written in another way than plainly.
//!
//! Digits of other scripts, `\u0034`, `%22`, `&quot;`: such a text is looked at a second time, decoded, with a map
//! from each decoded byte to where it came from.

/// A decoded text.
#[derive(Debug)]
pub(crate) struct Unveiled {
    pub text: Vec<u8>,
    /// Where each byte of `text` comes from, and the end of the source.
    map: Vec<u32>,
}

impl Unveiled {
    /// Where the decoded byte `at` starts in the source.
    pub(crate) fn source(&self, at: usize) -> usize {
        self.map[at] as usize
    }

    /// Where the decoded form of the source's byte `at` starts, if one starts there.
    pub(crate) fn place(&self, at: usize) -> Option<usize> {
        let at = u32::try_from(at).ok()?;
        let place = self.map.partition_point(|&source| source < at);
        (self.map.get(place) == Some(&at)).then_some(place)
    }
}

/// A stretch of bytes that stands for another byte, or for one of the first characters beyond ASCII.
#[derive(Debug, Clone, Copy)]
struct Veil {
    byte: u8,
    len: usize,
    /// `byte` is a character of Latin-1, two bytes in UTF-8
    latin: bool,
}

impl Veil {
    fn byte(byte: u8, len: usize) -> Veil {
        Veil { byte, len, latin: false }
    }
}

/// Whether at `at`, where a byte of class `veil` stands, something is written such that a rule could miss it.
#[inline]
pub(crate) fn is_veil(text: &[u8], at: usize) -> bool {
    match text[at..] {
        [b'\\', b'u', b'0', b'0', a, b, ..] => a.is_ascii_hexdigit() && b.is_ascii_hexdigit(),
        // Only what makes structure: a query full of `%20` and `%2F` is common and holds no key because of them.
        [b'%', b'2', b'2', ..]
        | [b'%', b'3', b'0'..=b'9' | b'a' | b'A' | b'd' | b'D' | b'c' | b'C', ..]
        | [b'%', b'4', b'0', ..]
        | [b'%', b'5', b'e' | b'E', ..] => true,
        [b'%', ..] | [b'\\', ..] => false,
        [b'&', b'q' | b'l' | b'#', ..] => entity(text, at).is_some(),
        [b'&', ..] => false,
        _ => script_digit(text, at).is_some(),
    }
}

/// Decodes all of `text`; `None` when it is longer than the map can name.
pub(crate) fn unveil(text: &[u8]) -> Option<Unveiled> {
    u32::try_from(text.len()).ok()?;
    let mut out = Unveiled { text: Vec::with_capacity(text.len()), map: Vec::with_capacity(text.len() + 1) };
    let mut at = 0;
    while at < text.len() {
        let veil = decoded(text, at).unwrap_or(Veil::byte(text[at], 1));
        if veil.latin && veil.byte >= 0x80 {
            out.text.push(0xc0 | veil.byte >> 6);
            out.map.push(at as u32);
            out.text.push(veil.byte & 0xbf);
        } else {
            out.text.push(veil.byte);
        }
        out.map.push(at as u32);
        at += veil.len;
    }
    out.map.push(text.len() as u32);
    Some(out)
}

fn decoded(text: &[u8], at: usize) -> Option<Veil> {
    match text[at] {
        b'\\' => escape(text, at),
        // The space behind a colon or a comma in a form; elsewhere it may be a plus, as in base64.
        b'+' if behind_mark(&text[..at]) => Some(Veil::byte(b' ', 1)),
        b'%' => {
            let byte = hex(*text.get(at + 1)?)? << 4 | hex(*text.get(at + 2)?)?;
            Some(Veil::byte(byte, 3))
        }
        b'&' => entity(text, at),
        0xd9 | 0xdb | 0xe0 | 0xef => script_digit(text, at),
        _ => None,
    }
}

/// Whether `:` or `,` ends `before`, as a form writes them.
fn behind_mark(before: &[u8]) -> bool {
    matches!(before, [.., b'%', b'3', b'A' | b'a'] | [.., b'%', b'2', b'C' | b'c'])
}

/// `\u0034`, with as many backslashes as its depth asks for.
fn escape(text: &[u8], at: usize) -> Option<Veil> {
    let escapes = text[at..].iter().take(ESCAPES_MAX).take_while(|&&b| b == b'\\').count();
    match text[at + escapes..] {
        [b'u', b'0', b'0', a, b, ..] => {
            Some(Veil { byte: hex(a)? << 4 | hex(b)?, len: escapes + 5, latin: true })
        }
        _ => None,
    }
}

/// Five levels of JSON in JSON.
const ESCAPES_MAX: usize = 32;

fn entity(text: &[u8], at: usize) -> Option<Veil> {
    let entities: [(&[u8], u8); 5] =
        [(b"&quot;", b'"'), (b"&apos;", b'\''), (b"&lt;", b'<'), (b"&gt;", b'>'), (b"&amp;", b'&')];
    if let Some((name, byte)) = entities.into_iter().find(|(name, _)| text[at..].starts_with(name)) {
        return Some(Veil::byte(byte, name.len()));
    }
    numbered(text, at)
}

/// `&#61;`, `&#x3d;`: a printable character of ASCII.
fn numbered(text: &[u8], at: usize) -> Option<Veil> {
    let number = text[at..].strip_prefix(b"&#")?;
    let len = number.iter().take(5).position(|&b| b == b';')?;
    let (radix, digits) = match number[..len] {
        [b'x' | b'X', ref digits @ ..] => (16, digits),
        ref digits => (10, digits),
    };
    let byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()?;
    (b' '..=b'~').contains(&byte).then_some(Veil::byte(byte, len + 3))
}

/// Fullwidth, Arabic-Indic, Persian and Devanagari digits.
fn script_digit(text: &[u8], at: usize) -> Option<Veil> {
    let (digit, len) = match text[at..] {
        [0xef, 0xbc, d @ 0x90..=0x99, ..] => (d - 0x90, 3),
        [0xd9, d @ 0xa0..=0xa9, ..] => (d - 0xa0, 2),
        [0xdb, d @ 0xb0..=0xb9, ..] => (d - 0xb0, 2),
        [0xe0, 0xa5, d @ 0xa6..=0xaf, ..] => (d - 0xa6, 3),
        _ => return None,
    };
    Some(Veil::byte(b'0' + digit, len))
}

fn hex(b: u8) -> Option<u8> {
    (b as char).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_writing_is_decoded_and_mapped_back() {
        let check = |text: &str, want: &str| {
            let unveiled = unveil(text.as_bytes()).unwrap();
            assert_eq!(String::from_utf8_lossy(&unveiled.text), want, "{text}");
            assert_eq!(unveiled.source(unveiled.text.len()), text.len());
        };
        check(r"a\u0034b", "a4b");
        check(r"a\\\u0022b", "a\"b");
        check("a%22b%zz%3", "a\"b%zz%3");
        check("&quot;&lt;&amp;&x", "\"<&&x");
        check(r"a\u00a0b\u00e9", "a\u{a0}b\u{e9}");
        check("４１٤۵०", "41450");
        let unveiled = unveil("x４y".as_bytes()).unwrap();
        assert_eq!([0, 1, 2, 3].map(|at| unveiled.source(at)), [0, 1, 4, 5]);
    }
}
