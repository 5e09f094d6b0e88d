//! Values that only stand for a value: what a statement, a template or a format string has in its place.

/// Whether `value` is a placeholder: `?`, `$1`, `%s`, `${DB_PASSWORD}`, `{{ password }}`, `process.env.TOKEN`.
pub(crate) fn is_placeholder(value: &[u8]) -> bool {
    match value {
        b"?" | b"%s" | b"%v" | b"%q" | b"%d" | b"%r" | b"{}" | b"{:?}" | b"{0}" => true,
        [b'$' | b'?', number @ ..] if is_number(number) => true,
        [b'$', b'{', name @ .., b'}'] => is_path(name),
        [b'{', b'{', name @ .., b'}', b'}'] => is_path(name.trim_ascii()),
        [b'%', b'(', name @ .., b')', b's'] => is_path(name),
        _ => value.strip_prefix(b"process.env.").is_some_and(is_path),
    }
}

/// The end of the placeholder that starts at `start`, where a space, a comma or a bracket may follow.
pub(crate) fn end(text: &[u8], start: usize) -> Option<usize> {
    let near = &text[start..text.len().min(start + LEN_MAX)];
    let close: &[u8] = match near {
        [b'$', b'{', ..] => b"}",
        [b'{', b'{', ..] => b"}}",
        _ => return None,
    };
    let len = near.windows(close.len()).position(|window| window == close)? + close.len();
    is_placeholder(&near[..len]).then_some(start + len)
}

/// A longer name is taken for a value.
const LEN_MAX: usize = 64;

fn is_number(text: &[u8]) -> bool {
    (1..=2).contains(&text.len()) && text.iter().all(u8::is_ascii_digit)
}

/// `DB_PASSWORD`, `vault.pw`; a default as in `${X:-hunter2}` is none.
fn is_path(text: &[u8]) -> bool {
    let is_part = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.');
    !text.is_empty() && text.len() <= LEN_MAX && text[0].is_ascii_alphabetic() && text.iter().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placeholder_is_told_from_a_value() {
        for text in ["?", "$1", "%s", "${DB_PASSWORD}", "{{ vault.pw }}", "%(pw)s", "process.env.TOKEN"] {
            assert!(is_placeholder(text.as_bytes()), "{text}");
        }
        for text in ["", "??", "$123", "$ecret", "${X:-hunter2}", "{{ a b }}", "%sx", "x"] {
            assert!(!is_placeholder(text.as_bytes()), "{text}");
        }
        assert_eq!(end(b"${A} x", 0), Some(4));
        assert_eq!(end(b"{{ a }}, x", 0), Some(7));
        assert_eq!(end(b"{{ a", 0), None);
    }
}
