//! JSON and XML in base64: `eyJ…` is `{"…`, `PD94bWwg…` is `<?xml …`. What is inside is masked, and encoded again.

use crate::base64;
use crate::edit::{Edit, rewrite};
use crate::pass::Pass;
use crate::report::Report;

/// How an XML declaration starts.
pub(crate) const XML: &[u8] = b"PD94bWwg";

/// How an object of JSON starts.
const JSON: &[u8] = b"eyJ";

/// Shorter ones hold no key with a secret.
const TEXT_LEN_MIN: usize = 16;

/// Base64 in base64 in base64 is as deep as anybody looks.
const DEPTH_MAX: u8 = 3;

/// Whether wrapped text may start at `start`.
pub(crate) fn may_start(text: &[u8], start: usize) -> bool {
    text[start..].starts_with(JSON) || text[start..].starts_with(XML)
}

/// Masks what is wrapped in the token that starts at `start`; it is replaced by its masked form.
pub(crate) fn mask(pass: &mut Pass<'_>, start: usize) {
    let text = pass.text;
    if pass.depth >= DEPTH_MAX || !may_start(text, start) {
        return;
    }
    let is_base64 = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_');
    let len = text[start..].iter().take_while(is_base64).count();
    let end = start + len;
    let padding = text[end..].iter().take(2).take_while(|&&b| b == b'=').count();
    pass.done = pass.done.max(end + padding);
    let token = &text[start..end];
    let Some(inner) = (len >= TEXT_LEN_MIN).then(|| base64::decode(token)).flatten() else { return };
    // Words that start like it decode to anything; what is wrapped is text.
    if std::str::from_utf8(&inner).is_err() {
        return;
    }
    let found = pass.inside(&inner);
    let Some(rule) = found.first().map(|edit| edit.rule) else { return };
    let Some(masked) = rewrite(&inner, found, &mut Report::default()) else { return };
    let url = token.iter().any(|b| matches!(b, b'-' | b'_'));
    let put = base64::encode(&masked, url, padding > 0 || !url && len.is_multiple_of(4));
    pass.edits.push(Edit { start, end: end + padding, rule, put, quote: None, user: None });
}
