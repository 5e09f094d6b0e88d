//! Keys whose values the operator keeps, where they stand inside a text: `{"order_id":4111111111111111}`.

use crate::place::{Quote, key_end};
use crate::report::Rule;

/// Letters of a key that is looked for inside a text, as in `keys_add`.
const KEY_LEN_MAX: usize = 128;

/// Whether what `rule` found at `start` is the value of one of `keys`. Sensitive authentication data is never kept.
pub(crate) fn is_kept(text: &[u8], start: usize, rule: Rule, keys: &[String]) -> bool {
    if keys.is_empty() || matches!(rule, Rule::Sad | Rule::Track) {
        return false;
    }
    key_before(text, start).is_some_and(|key| keys.iter().any(|kept| ends_with_key(key, kept.as_bytes())))
}

/// The text up to the end of the key whose value starts at `start`.
pub(crate) fn key_before(text: &[u8], start: usize) -> Option<&[u8]> {
    let mut before = &text[..start];
    if let Some(quote) = Quote::before(text, start) {
        before = &before[..before.len() - quote.len()];
    }
    let near = &before[before.len().saturating_sub(KEY_LEN_MAX)..];
    if near.ends_with(b">") && near.contains(&b'<') {
        return before.strip_suffix(b">");
    }
    let before = before.trim_ascii_end();
    let before = before.strip_suffix(b">").unwrap_or(before);
    let separator = before.len().checked_sub(1).filter(|&at| matches!(before[at], b':' | b'='))?;
    Some(&text[..key_end(text, separator).end])
}

/// Whether the key at the end of `text` is `key`, as the operator wrote it.
fn ends_with_key(text: &[u8], key: &[u8]) -> bool {
    let Some(before) = text.strip_suffix(key) else { return false };
    !key.is_empty() && !before.last().is_some_and(|b| b.is_ascii_alphanumeric() || b"_-.".contains(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_found_before_its_value() {
        let keys = ["order_id".to_owned()];
        let check = |text: &str, want: bool| {
            let start = text.find('4').unwrap();
            assert_eq!(is_kept(text.as_bytes(), start, Rule::Pan, &keys), want, "{text}");
        };
        check(r#"{"order_id":4"#, true);
        check(r#"{"order_id" : "4"#, true);
        check(r#"{\"order_id\":\"4"#, true);
        check("a=1&order_id=4", true);
        check("<order_id>4</order_id>", true);
        check("[order_id] => 4", true);
        check("{'order_id': '4'", true);
        check(r#"{"my_order_id":4"#, false);
        check(r#"{"order_id_2":4"#, false);
        check(r#"{"ORDER_ID":4"#, false);
        check("order_id is 4", false);
        check("4", false);
        assert!(!is_kept(b"order_id=4", 9, Rule::Sad, &keys));
    }
}
